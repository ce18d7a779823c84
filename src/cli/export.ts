import { copyFileSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { exportTiles } from '../client/exportTiles.ts';
import { type LogSource, openLogSource } from '../client/logSource.ts';
import { WeftError } from '../codec/error.ts';
import { encodeUtf8 } from '../codec/utf8.ts';
import { openDataCopy } from './dataCopy.ts';
import { nodeOfHome } from './home.ts';
import { note, printFields, printJson, usage } from './output.ts';
import { progress } from './progress.ts';

type Options = {
  home?: string;
  validator?: string;
  rpc?: string;
  out?: string;
  tiles?: string;
  snapshot?: string;
  json?: boolean;
};

export function exportCommand(program: Command): void {
  program
    .command('export')
    .description(
      'Writes the whole chain as one archive file (--out), its log as tiles for any static server (--tiles), or a snapshot (--snapshot). Reads the data of a node of the home, whether that runs or not.',
    )
    .option('--home <dir>', 'home folder, or the folder of one node')
    .option('--validator <name>', 'which node, when the home has several (default: the first)')
    .option('--out <file>', 'archive file to write: what weft audit takes')
    .option('--snapshot <file>', 'write a snapshot, from which a new node can begin: weft start --snapshot FILE')
    .option('--tiles <dir>', 'folder to write the log into: what weft verify takes')
    .option('--rpc <url>', 'with --tiles: read from this node or server instead of a home')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample: weft export --home .weft-dev --out chain.weft && weft audit chain.weft')
    .action(async (options: Options) => {
      const targets = [options.out, options.tiles, options.snapshot].filter((each) => each !== undefined);
      if (targets.length !== 1) throw usage('give --out FILE, --tiles DIR or --snapshot FILE');
      if (options.snapshot !== undefined) return toSnapshot(options.snapshot, options);
      if (options.tiles !== undefined) return toTiles(options.tiles, options);
      return toArchive(options.out ?? '', options);
    });
}

async function toTiles(dir: string, options: Options): Promise<void> {
  const { source, close } = await sourceOf(options);
  const bar = progress('files');
  try {
    const { origin, size, files } = await exportTiles(source, dir, bar.show);
    bar.done();
    if (options.json) return printJson({ tiles: dir, origin, size, files });
    printFields([
      ['log', origin],
      ['entries', size],
      ['files', `${files} in ${dir}`],
    ]);
    note(`Check it: weft verify ${dir} --trust FILE`);
  } finally {
    bar.done();
    await close();
  }
}

/** The newest that the node has made; else one of its last block, if a checkpoint over it was kept. */
async function toSnapshot(file: string, options: Options): Promise<void> {
  const copy = await copyOf(options);
  try {
    const { writeSnapshot } = await import('../ledger/snapshotWrite.ts');
    const { ledger, checkpoint } = copy;
    let height: number;
    let bytes: number;
    try {
      ({ height, bytes } = await writeSnapshot(await ledger.capture(), file, async () => checkpoint));
    } catch (error) {
      const made = newestSnapshot(options);
      if (!(error instanceof WeftError) || !error.code.startsWith('SNAPSHOT_') || made === undefined) throw error;
      copyFileSync(made.path, file);
      height = made.height;
      bytes = statSync(file).size;
    }
    const { chain } = ledger.genesis;
    if (options.json) return printJson({ snapshot: file, chain, height, bytes });
    printFields([
      ['snapshot', `${file}  ${bytes} bytes`],
      ['chain', chain],
      ['block', height],
    ]);
    note(`Begin a node from it: weft start --home DIR --snapshot ${file}`);
  } finally {
    await copy.close();
  }
}

function newestSnapshot(options: Options): { readonly path: string; readonly height: number } | undefined {
  if (options.home === undefined) return undefined;
  const folder = join(nodeOfHome(options.home, options.validator).data, 'snapshots');
  const heights = (existsSync(folder) ? readdirSync(folder) : []).flatMap((name) =>
    /^[0-9]{1,16}\.snapshot$/.test(name) ? Number.parseInt(name, 10) : [],
  );
  if (heights.length === 0) return undefined;
  const height = Math.max(...heights);
  return { path: join(folder, `${height}.snapshot`), height };
}

async function sourceOf(options: Options): Promise<{ readonly source: LogSource; close(): Promise<void> }> {
  if (options.rpc !== undefined) {
    const source = openLogSource(options.rpc);
    return { source, close: async () => source.close() };
  }
  const copy = await copyOf(options);
  const source: LogSource = {
    read: async (path) => {
      if (path !== 'checkpoint') return copy.ledger.tile(path)?.bytes;
      return copy.checkpoint === undefined ? undefined : encodeUtf8(copy.checkpoint);
    },
    close: () => {},
  };
  return { source, close: () => copy.close() };
}

async function copyOf(options: Options): ReturnType<typeof openDataCopy> {
  if (options.home === undefined) throw usage('give --home');
  const node = nodeOfHome(options.home, options.validator);
  return openDataCopy(node.data, new Uint8Array(readFileSync(node.genesis)));
}

async function toArchive(file: string, options: Options): Promise<void> {
  const copy = await copyOf(options);
  const bar = progress('blocks');
  try {
    const { exportArchive } = await import('../ledger/exportArchive.ts');
    const { ledger, checkpoint } = copy;
    const { chain, height, logSize, bytes } = await exportArchive(ledger, file, {
      ...(checkpoint === undefined ? {} : { checkpoint }),
      onProgress: (at, of) => bar.show(at, of),
    });
    bar.done();
    if (options.json) return printJson({ archive: file, chain, height, logSize, bytes });
    printFields([
      ['archive', `${file}  ${bytes} bytes`],
      ['chain', chain],
      ['blocks', height],
      ['log entries', logSize],
    ]);
    note(`Replay it: weft audit ${file}`);
  } finally {
    bar.done();
    await copy.close();
  }
}
