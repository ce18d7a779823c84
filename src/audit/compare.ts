import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { WeftError } from '../codec/error.ts';
import { equalBytes } from '../codec/utf8.ts';
import { readArchive } from '../ledger/archive.ts';
import { blockIdOfBytes, decodeHeader, type Header } from '../ledger/header.ts';
import { Ledger } from '../ledger/ledger.ts';
import type { Run } from '../ledger/types.ts';

export type Comparison = {
  /** Height up to which both hold the same blocks. */
  readonly common: number;
  /** Heights of the two ends. */
  readonly heights: readonly [number, number];
  /** Absent when one is a beginning of the other, or both are equal. */
  readonly difference?: Difference;
};

export type Difference = {
  readonly height: number;
  /** `genesis`, `body`, or the first header field that differs in the order of computing. */
  readonly what: string;
  readonly a: string;
  readonly b: string;
};

/** Where a chain is read from: an archive file, or a data folder that no process works on. */
export type Place = { readonly path: string /** For a data folder. */; readonly genesis?: Uint8Array };

type Block = { readonly headerBytes: Uint8Array; readonly body: Uint8Array };

const runBytes = 1024 * 1024;

/**
 * The first difference between two chains, block by block: header fields, then bodies. Certificates are not compared: nodes may
 * hold different ones for one block. Nothing is verified: that is what `auditArchive` is for.
 * @throws WeftError ARCHIVE_*, DATA_*, COMPARE_GENESIS_NEEDED
 */
export async function compareChains(a: Place, b: Place): Promise<Comparison> {
  const [left, right] = [await openPlace(a), await openPlace(b)];
  try {
    if (!equalBytes(left.genesis, right.genesis)) {
      return { common: -1, heights: [0, 0], difference: { height: 0, what: 'genesis', a: a.path, b: b.path } };
    }
    let common = 0;
    for (;;) {
      const [one, two] = [await left.next(), await right.next()];
      if (one === undefined || two === undefined) {
        const ends = [
          await left.end(common + Number(one !== undefined)),
          await right.end(common + Number(two !== undefined)),
        ] as const;
        return { common, heights: ends };
      }
      const difference = firstDifference(one, two, common + 1);
      if (difference !== undefined) return { common, heights: [common + 1, common + 1], difference };
      common += 1;
    }
  } finally {
    await left.close();
    await right.close();
  }
}

function firstDifference(a: Block, b: Block, height: number): Difference | undefined {
  if (equalBytes(a.headerBytes, b.headerBytes)) {
    if (equalBytes(a.body, b.body)) return undefined;
    return { height, what: 'body', a: `${a.body.length} bytes`, b: `${b.body.length} bytes` };
  }
  const [one, two] = [decodeHeader(a.headerBytes), decodeHeader(b.headerBytes)];
  const order: readonly (keyof Header)[] = [
    'parent',
    'epoch',
    'view',
    'time',
    'proposer',
    'ruleset',
    'validators',
    'txRoot',
    'stateRoot',
    'nextValidators',
    'logSize',
    'logRoot',
  ];
  const what = order.find((name) => one[name] !== two[name]);
  if (what === undefined)
    return { height, what: 'header', a: blockIdOfBytes(a.headerBytes), b: blockIdOfBytes(b.headerBytes) };
  return { height, what, a: String(one[what]), b: String(two[what]) };
}

type Opened = {
  readonly genesis: Uint8Array;
  next(): Promise<Block | undefined>;
  /** The height of the end, given how many blocks were read. */
  end(read: number): Promise<number>;
  close(): Promise<void>;
};

async function openPlace(place: Place): Promise<Opened> {
  return (await stat(place.path)).isDirectory() ? openFolder(place) : openArchive(place);
}

async function openFolder({ path, genesis }: Place): Promise<Opened> {
  if (genesis === undefined)
    throw new WeftError(
      'COMPARE_GENESIS_NEEDED',
      `A data folder is read with its genesis document: name it for ${path}.`,
    );
  const ledger = await Ledger.open({ dir: path, genesis });
  const blocks = runsOf((height) => ledger.exportRun(height, runBytes));
  return {
    genesis: ledger.genesis.bytes,
    next: async () => blocks.next().value ?? undefined,
    end: async () => ledger.finalized.header.height,
    close: () => ledger.close(),
  };
}

function* runsOf(read: (height: number) => Run | undefined): Generator<Block, undefined> {
  for (let height = 1; ; ) {
    const run = read(height);
    if (run === undefined) return;
    height += run.headers.length;
    yield* blocksOf(run);
  }
}

async function openArchive({ path }: Place): Promise<Opened> {
  const stream = createReadStream(path, { highWaterMark: 1024 * 1024 });
  const items = readArchive(stream);
  const first = await items.next();
  if (first.done === true || first.value.kind !== 'genesis')
    throw new WeftError('ARCHIVE_INVALID', 'The archive does not begin with genesis.');
  const blocks = (async function* (): AsyncGenerator<Block> {
    for await (const item of items) if (item.kind === 'run') yield* blocksOf(item.run);
  })();
  return {
    genesis: first.value.bytes,
    next: async () => (await blocks.next()).value ?? undefined,
    end: async (read) => {
      let height = read;
      for await (const _ of blocks) height += 1;
      return height;
    },
    close: async () => {
      stream.destroy();
    },
  };
}

function* blocksOf(run: Run): Generator<Block> {
  for (const [i, headerBytes] of run.headers.entries()) yield { headerBytes, body: run.bodies[i] ?? new Uint8Array(0) };
}
