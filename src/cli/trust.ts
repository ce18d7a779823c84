import type { Command } from 'commander';
import { walkTrust } from '../token/node.ts';
import { walkableEpoch, walkBytesMax } from '../token/walk.ts';
import { readBounded } from './files.ts';
import { note, printJson, usage, when } from './output.ts';
import { readTrustFile } from './trustFile.ts';
import { askOptions, withClient } from './withClient.ts';

export function trustCommand(program: Command): void {
  const trust = program
    .command('trust')
    .description(
      'The trust file: the keys that verify tokens of this chain (a C2SP tlog-policy), and how to keep it up to date.',
    );
  askOptions(trust.command('show', { isDefault: true }).description('Prints the trust file as a node states it.'))
    .addHelpText('after', '\nExample: weft trust --rpc http://127.0.0.1:7611 > trust.txt')
    .action((options: { rpc: string; json?: boolean }) =>
      withClient(options.rpc, async (client) => {
        const file = await client.trust();
        if (options.json) return printJson({ trust: file });
        process.stdout.write(file);
        if (process.stdout.isTTY)
          note("This is one node's word. Compare it with another operator's before you rely on it.");
      }),
    );
  trust
    .command('update')
    .description(
      'Walks a trust file forward over changes of validators and prints the new one. Nobody is believed: each step is cosigned by a quorum of those before it.',
    )
    .requiredOption('--from <file>', 'the trust file that you have, held against the chain within 30 days')
    .option('--rpc <url>', 'node (more: separated by commas)')
    .option('--walk <file>', 'walk that was fetched before (weft trust walk), instead of --rpc: offline')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample: weft trust update --from trust.txt --rpc http://127.0.0.1:7611 > newer.txt')
    .action(update);
  trust
    .command('walk')
    .description('Fetches what leads from a trust file to the present validators, to be taken elsewhere.')
    .requiredOption('--from <file>', 'the trust file from which it is to lead on')
    .requiredOption('--rpc <url>', 'node (more: separated by commas)')
    .option('--json', 'print the walk as a text in one line of JSON')
    .addHelpText('after', '\nExample: weft trust walk --from trust.txt --rpc http://127.0.0.1:7611 > walk.json')
    .action((options: { from: string; rpc: string; json?: boolean }) => {
      const epoch = walkableEpoch(readTrustFile(options.from), Date.now());
      return withClient(options.rpc, async (client) => {
        const walk = await client.fetchWalk(epoch);
        if (options.json) return printJson({ walk });
        process.stdout.write(walk);
      });
    });
}

async function update(options: { from: string; rpc?: string; walk?: string; json?: boolean }): Promise<void> {
  const { from, rpc, walk: file } = options;
  if ((rpc === undefined) === (file === undefined)) throw usage('give --rpc or --walk');
  const trust = readTrustFile(from);
  const epoch = walkableEpoch(trust, Date.now());
  const walk =
    file === undefined
      ? await withClient(rpc ?? '', (client) => client.fetchWalk(epoch))
      : readBounded(file, walkBytesMax);
  const walked = walkTrust(walk, { trust, now: Date.now() });
  if (options.json)
    return printJson({ trust: walked.file, epoch: walked.trust.epoch, steps: walked.steps, time: walked.time });
  process.stdout.write(walked.file);
  const changes = walked.steps.map(({ height, validators }) => `block ${height}: ${validators.join(' ')}`);
  note(
    `${changes.length === 0 ? 'The validators are those that you knew.' : `Since then the validators have changed:\n  ${changes.join('\n  ')}`}\nHeld against the chain as of ${when(walked.time)}.`,
  );
}
