import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { openLogSource } from '../client/logSource.ts';
import { verifyLog } from '../client/verifyLog.ts';
import { WeftError } from '../codec/error.ts';
import { good, print, printFields, printJson, when } from './output.ts';
import { progress } from './progress.ts';

export function verifyCommand(program: Command): void {
  program
    .command('verify')
    .description(
      'Checks a log from outside: checkpoint, all entry bundles, all tiles. Exit code 0: a quorum stands behind exactly these entries.',
    )
    .argument('<place>', 'folder (weft export --tiles) or URL of a node or static server')
    .requiredOption('--trust <file>', 'trust file (weft trust)')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample: weft verify http://127.0.0.1:7611 --trust trust.txt')
    .action(async (place: string, options: { trust: string; json?: boolean }) => {
      const source = openLogSource(place);
      const bar = progress('entries');
      try {
        const log = await verifyLog(source, { trust: readTrust(options.trust), onProgress: bar.show });
        bar.done();
        if (options.json) return printJson({ holds: true, ...log });
        print(good('The log holds.'));
        printFields([
          ['chain', log.chain],
          ['entries', `${log.size}, in ${log.bundles} bundles and ${log.tiles} tiles`],
          ['root', log.root],
          ['cosigned by', log.cosigners.join(' ')],
          ['cosigned at', when(log.time)],
        ]);
      } finally {
        bar.done();
        source.close();
      }
    });
}

function readTrust(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new WeftError('FILE_UNREADABLE', `cannot read ${file}: ${error instanceof Error ? error.message : error}`);
  }
}
