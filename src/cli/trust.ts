import type { Command } from 'commander';
import { connect } from '../client/index.ts';
import { note, printJson } from './output.ts';

export function trustCommand(program: Command): void {
  program
    .command('trust')
    .description(
      'Prints the trust file (a C2SP tlog-policy): the keys that verify tokens of this chain, as this node states them.',
    )
    .requiredOption('--rpc <url>', 'node (more: separated by commas)')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample: weft trust --rpc http://127.0.0.1:7611 > trust.txt')
    .action(async (options: { rpc: string; json?: boolean }) => {
      const client = connect({ rpc: options.rpc.split(',') });
      try {
        const trust = await client.trust();
        if (options.json) return printJson({ trust });
        process.stdout.write(trust);
        if (process.stdout.isTTY)
          note("This is one node's word. Compare it with another operator's before you rely on it.");
      } finally {
        client.close();
      }
    });
}
