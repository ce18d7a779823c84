import type { Command } from 'commander';
import { bad, good, note, print, printJson, printTable } from './output.ts';

export function agentCommand(program: Command): void {
  const agent = program
    .command('agent')
    .description('The sidecar of a host: what it sees (probes) and what it lets pass (gate), by eBPF.');
  agent
    .command('probe')
    .description('Tries each probe and gate on this host and says which work, and why others do not. Changes nothing.')
    .option('--json', 'print one line of JSON')
    .addHelpText(
      'after',
      '\nExample: weft agent probe          (as root, or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN)',
    )
    .action(probe);
  agent
    .command('release')
    .description(
      'Takes the gates of this host off, whoever made them: for when the agent that would is gone. They are off at once.',
    )
    .option('--pins <folder>', 'where the agent pins them', '/sys/fs/bpf/weft')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample: weft agent release')
    .action(release);
}

async function probe(options: { json?: boolean }): Promise<void> {
  const { detectAbilities } = await import('../agent/bpf/probes.ts');
  const abilities = await detectAbilities();
  if (options.json) return printJson({ abilities });
  printTable(
    ['part', 'hook', 'what it does', 'here'],
    abilities.map(({ name, hook, about, works }) => [name, hook, about, works ? good('works') : bad('unavailable')]),
  );
  const reasons = new Map<string, string[]>();
  for (const { name, why } of abilities) if (why !== undefined) reasons.set(why, [...(reasons.get(why) ?? []), name]);
  for (const [why, names] of reasons) note(`${names.join(', ')}: ${why}`);
}

async function release(options: { pins: string; json?: boolean }): Promise<void> {
  const { removePins } = await import('../agent/bpf/pins.ts');
  const released = { gate: removePins(options.pins, 'gate'), outgoing: removePins(options.pins, 'outgoing') };
  if (options.json) return printJson({ released });
  print(`Released: the gate on ${released.gate} interfaces, ${released.outgoing} links of the one for what goes out.`);
}
