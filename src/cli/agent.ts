import type { Command } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import type { AgentStatus } from '../agent/agent.ts';
import type { GateMaps } from '../agent/bpf/gateMaps.ts';
import { codeOf, WeftError } from '../codec/error.ts';
import { passphraseOf } from './home.ts';
import { bad, exitCodes, good, note, print, printFields, printJson, printTable, usage } from './output.ts';
import { stopSignal } from './stopSignal.ts';

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
  agent
    .command('run')
    .description('Runs the agent of this host until it is told to stop (SIGINT, SIGTERM).')
    .requiredOption('--config <file>', 'configuration (schemas/agent-config.schema.json)')
    .option('--fail-open', 'the gate goes when the agent does, whatever the configuration says')
    .option('--json', 'print one line of JSON once it is ready')
    .addHelpText('after', '\nExample: weft agent run --config agent.yaml')
    .action(run);
  agent
    .command('mode')
    .description(
      'Switches the gates of this host at run time: the next packet is treated so. A restart takes the mode of the configuration.',
    )
    .argument('<mode>', 'observe or enforce')
    .requiredOption('--config <file>', 'configuration of the agent')
    .addHelpText('after', '\nExample: weft agent mode enforce --config agent.yaml')
    .action(mode);
  agent
    .command('routes')
    .description('What the gate of this host lets through now, as the kernel holds it.')
    .requiredOption('--config <file>', 'configuration of the agent')
    .option('--json', 'print one line of JSON')
    .action(routes);
}

async function run(options: { config: string; failOpen?: boolean; json?: boolean }): Promise<void> {
  const [{ loadAgentConfig }, { Agent }] = await Promise.all([
    import('../agent/config.ts'),
    import('../agent/agent.ts'),
  ]);
  const loaded = loadAgentConfig(options.config);
  const { gate, outgoing } = loaded;
  const config = !options.failOpen
    ? loaded
    : {
        ...loaded,
        ...(gate === undefined ? {} : { gate: { ...gate, failOpen: true } }),
        ...(outgoing === undefined ? {} : { outgoing: { ...outgoing, failOpen: true } }),
      };
  const passphrase =
    config.ledger === undefined
      ? null
      : await passphraseOf(config.ledger.keys, `Passphrase of ${config.ledger.keys}: `);
  // Who reads what this says may go away (`| head`, a collector): for a sidecar that is no end, as for other commands.
  process.stdout.removeAllListeners('error').on('error', () => undefined);
  process.stderr.on('error', () => undefined);
  const agent = await Agent.start(config, {
    version: packageJson.version,
    passphrase,
    // Standard output may be a sink.
    say: (level, message) => note(level === 'info' ? message : `${level}: ${message}`),
  });
  const status = agent.status();
  if (options.json) printJson({ ready: true, ...status, metrics: agent.metricsUrl ?? null });
  else if (!config.telemetry.stdout)
    printFields([
      ['agent', good(`${config.host} is watched`)],
      ...status.gates.map(({ name, mode: how, guarded, interfaces }): [string, string] => [
        `gate ${name}`,
        `${how === 'enforce' ? good('enforces') : 'observes'} ${guarded.map(({ port, protocol }) => `${protocol}/${port}`).join(' ')} ${whereOf(name, interfaces)}`,
      ]),
      [
        'missing',
        status.unavailable.length === 0 ? undefined : bad(status.unavailable.map(({ part }) => part).join(', ')),
      ],
      ['routes', `${status.routes.open} open`],
      ['probes', probesOf(status) || 'none'],
      ['metrics', agent.metricsUrl ?? 'off'],
    ]);
  await stopSignal();
  await agent.close();
  process.exit(exitCodes.holds);
}

function whereOf(
  gate: 'in' | 'out',
  interfaces: readonly { readonly interface: string; readonly mode: string }[],
): string {
  if (gate === 'out') return '';
  if (interfaces.length === 0) return bad('on no interface');
  return interfaces.map(({ interface: at, mode: by }) => `on ${at} (${by})`).join(' ');
}

function probesOf({ programs, gates }: AgentStatus): string {
  const names = new Set(gates.map(({ name }) => `gate ${name}`));
  return programs
    .filter(({ name }) => !names.has(name))
    .map(({ name }) => name)
    .join(' ');
}

/** `interfaces`: of a gate for what comes in. */
type Pinned = { readonly maps: GateMaps; interfaces?(): readonly unknown[]; close(): void };

/** Both gates as they are pinned, for the time of `use`. */
async function withGates<T>(path: string, use: (gates: readonly Pinned[], nowNs: bigint) => T): Promise<T> {
  const [{ loadAgentConfig, pinsOf }, { Gate }, { OutgoingGate }, { Kernel }, { hasPins }] = await Promise.all([
    import('../agent/config.ts'),
    import('../agent/bpf/gate.ts'),
    import('../agent/bpf/outgoing.ts'),
    import('../agent/bpf/kernel.ts'),
    import('../agent/bpf/pins.ts'),
  ]);
  const config = loadAgentConfig(path);
  const pins = pinsOf(config);
  if (pins === undefined)
    throw new WeftError(
      'AGENT_NO_GATE',
      `${path} configures no gate that stays in the kernel: set gate or outgoing, and failOpen false`,
    );
  // Opening what is not there would make it.
  const [coming, going] = [
    config.gate !== undefined && hasPins(pins, 'gate'),
    config.outgoing !== undefined && hasPins(pins, 'outgoing'),
  ];
  if (!coming && !going)
    throw new WeftError(
      'AGENT_NO_GATE',
      `nothing is pinned under ${pins}: no agent has run here with this configuration, or the gate was released`,
    );
  const kernel = await Kernel.open();
  const open: Pinned[] = [];
  try {
    // What another version pinned is not ours to switch: said, instead of switching one that nothing goes through.
    if (coming) open.push(new Gate(kernel, { pins, only: 'adopt' }));
    if (going) open.push(new OutgoingGate(kernel, { pins, only: 'adopt' }));
    return use(open, kernel.bootNs());
  } finally {
    for (const each of open) each.close();
  }
}

async function mode(wanted: string, options: { config: string }): Promise<void> {
  if (wanted !== 'observe' && wanted !== 'enforce') throw usage("the mode is 'observe' or 'enforce'");
  const isNowhere = await withGates(options.config, (gates) => {
    for (const { maps } of gates) maps.configure({ mode: wanted });
    return gates.some((gate) => gate.interfaces?.().length === 0);
  });
  if (isNowhere) note('warn: the gate is on no interface: what comes in passes, whatever its mode');
  note(
    wanted === 'enforce'
      ? 'Guarded ports refuse what no grant covers, from the next packet on.'
      : 'Everything passes; what no grant covers is reported.',
  );
}

async function routes(options: { config: string; json?: boolean }): Promise<void> {
  const found = await withGates(options.config, (gates, nowNs) => gates.flatMap(({ maps }) => maps.grants.held(nowNs)));
  if (options.json) return printJson({ routes: found });
  if (found.length === 0) return print('No route is open.');
  printTable(
    ['grant', 'from', 'to', 'port', 'packets', 'ends in'],
    found.map(({ id, source, destination, port, protocol, packets, endsInMs }) => [
      id.slice(0, 12),
      source,
      destination,
      `${protocol}/${port === 0 ? 'any' : port}`,
      String(packets),
      endsInMs > 0 ? `${(endsInMs / 1000).toFixed(1)} s` : bad('over'),
    ]),
  );
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

/** What an agent holds goes on without pins, and is gone when it dies: neither of which `release` promises. @throws WeftError AGENT_LOCKED, BPF_NO_PINS */
async function lockedFor(pins: string): Promise<() => void> {
  const [{ hasPins }, { lockPins }, { Kernel }] = await Promise.all([
    import('../agent/bpf/pins.ts'),
    import('../agent/lock.ts'),
    import('../agent/bpf/kernel.ts'),
  ]);
  if (!hasPins(pins, 'gate') && !hasPins(pins, 'outgoing')) return () => undefined;
  // Where nothing native is to be had, no agent holds a gate.
  const kernel = await Kernel.open().catch(() => undefined);
  if (kernel === undefined) return () => undefined;
  try {
    return lockPins(kernel, pins);
  } catch (error) {
    if (codeOf(error) !== 'AGENT_LOCKED') throw error;
    throw new WeftError(
      'AGENT_LOCKED',
      `an agent works on ${pins}, and its gates stay on while it does: stop it first`,
    );
  }
}

async function release(options: { pins: string; json?: boolean }): Promise<void> {
  const { removePins } = await import('../agent/bpf/pins.ts');
  const unlock = await lockedFor(options.pins);
  const released = { gate: removePins(options.pins, 'gate'), outgoing: removePins(options.pins, 'outgoing') };
  unlock();
  if (options.json) return printJson({ released });
  const parts = [
    ...(released.gate === 0
      ? []
      : [`the gate is off ${released.gate === 1 ? 'its interface' : `${released.gate} interfaces`}`]),
    ...(released.outgoing === 0 ? [] : ['the one for what goes out is off, too']),
  ];
  print(
    parts.length === 0
      ? `Nothing is pinned under ${options.pins}: there is no gate to release.`
      : `Released: ${parts.join('; ')}.`,
  );
}
