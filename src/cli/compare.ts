import { existsSync, readFileSync, statSync } from 'node:fs';
import type { Command } from 'commander';
import type { Place } from '../audit/compare.ts';
import { WeftError } from '../codec/error.ts';
import { copyData } from './dataCopy.ts';
import { nodeOfHome } from './home.ts';
import { good, print, printFields, printJson } from './output.ts';

type Options = { genesis?: string; json?: boolean };
type Opened = Place & { close(): Promise<void> };

export function compareCommand(program: Command): void {
  program
    .command('compare')
    .description(
      'The first difference between two chains: archives, homes, or folders of nodes (which may run). Certificates are not compared. Exit code 0: one is the beginning of the other, or both are equal.',
    )
    .argument('<a>', 'archive, home, folder of a node, or data folder')
    .argument('<b>', 'the other')
    .option('--genesis <file>', 'genesis document, for bare data folders')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample: weft compare .weft-dev/v1 .weft-dev/v2')
    .action(compare);
}

async function compare(a: string, b: string, options: Options): Promise<void> {
  const left = await open(a, options);
  try {
    const right = await open(b, options);
    try {
      const { compareChains } = await import('../audit/compare.ts');
      const result = await compareChains(left, right);
      const { difference, common, heights } = result;
      if (options.json) printJson({ same: difference === undefined, ...result });
      else if (difference === undefined) {
        print(good(heights[0] === heights[1] ? 'Both are the same chain.' : 'One is the beginning of the other.'));
        printFields([
          ['common', `blocks up to ${common}`],
          [a, `up to ${heights[0]}`],
          [b, `up to ${heights[1]}`],
        ]);
      }
      if (difference === undefined) return;
      const { height, what } = difference;
      const how =
        what === 'genesis'
          ? `${a} and ${b} are of different networks: their genesis documents differ`
          : `they differ at block ${height} in ${what}: ${a} has ${difference.a}, ${b} has ${difference.b}; both agree up to block ${common}`;
      throw new WeftError('CHAINS_DIFFER', how, { height, what });
    } finally {
      await right.close();
    }
  } finally {
    await left.close();
  }
}

/** A folder is read through a copy, so that its node need not stop. */
async function open(path: string, options: Options): Promise<Opened> {
  if (!existsSync(path)) throw new WeftError('FILE_UNREADABLE', `there is no ${path}`);
  if (!statSync(path).isDirectory()) return { path, close: async () => {} };
  const node =
    options.genesis === undefined || existsSync(`${path}/config.yaml`)
      ? nodeOfHome(path)
      : { data: path, genesis: options.genesis };
  const { dir, remove } = await copyData(node.data);
  return { path: dir, genesis: new Uint8Array(readFileSync(node.genesis)), close: remove };
}
