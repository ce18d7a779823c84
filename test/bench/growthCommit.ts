import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeTestnet } from '../../src/cli/testnet.ts';
import { openLevel } from '../../src/ledger/keyValue.ts';
import { GrowthChain, spacingMs } from './growthChain.ts';
import { type Grown, type GrownSize, share, storeAt } from './growthFolder.ts';
import { folderBytes } from './processes.ts';
import { type Quantiles, quantiles, round } from './result.ts';

/** What a block costs in one process, on a chain of some size: no network, no journal, the database of a node with its syncs. */
export type ChainGrowth = GrownSize & {
  readonly openSeconds: number;
  readonly openCpuSeconds: number;
  /** Of a block of ten transactions, one group of three ids each: decode, build, execute, seal, commit. */
  readonly blockCpuMs: number;
  /** From the call until the block is durable. */
  readonly commitMs: Quantiles;
};

const transactions = 10;
const ids = 3;
const warmBlocks = 100;
const blocks = 400;

export async function measureChain(
  dir: string,
  { net, time }: Grown,
  size: GrownSize,
  progress: (text: string) => void,
): Promise<ChainGrowth> {
  progress(`${size.size} entries: blocks in one process`);
  const copy = join(dir, 'copy');
  share(storeAt(dir, size.size), join(copy, 'store'));
  const before = process.cpuUsage();
  const started = performance.now();
  const chain = await GrowthChain.open(net, copy, time, true);
  const openSeconds = (performance.now() - started) / 1000;
  const openCpuSeconds = cpuMs(before) / 1000;
  try {
    const first = chain.nextTime;
    const signed: Uint8Array[][] = [];
    for (let i = 0; i < warmBlocks + blocks; i += 1) {
      const at = first + i * spacingMs;
      signed.push(await chain.signed({ kind: 'packets', count: transactions, groups: 1, ids, at }));
    }
    const commitMs: number[] = [];
    let spent = process.cpuUsage();
    for (const [i, envelopes] of signed.entries()) {
      if (i === warmBlocks) spent = process.cpuUsage();
      await chain.addBlock(envelopes);
      const called = performance.now();
      await chain.settled();
      if (i >= warmBlocks) commitMs.push(performance.now() - called);
    }
    const blockCpuMs = cpuMs(spent) / blocks;
    return {
      ...size,
      openSeconds: round(openSeconds),
      openCpuSeconds: round(openCpuSeconds),
      blockCpuMs: round(blockCpuMs),
      commitMs: quantiles(commitMs),
    };
  } finally {
    await chain.close();
    rmSync(copy, { recursive: true, force: true });
  }
}

/** What the store holds for a transaction with one group of three ids, beside the two log entries that it makes. */
export type DiskShare = {
  readonly transactionsPerBlock: number;
  /** Of a transaction's leaf and its record's, as they stand in the log. */
  readonly leafBytes: number;
  readonly storeBytes: number;
};

/** Of a chain of its own, with its share of blocks, certificates, indexes and tiles, when the database has put its log into tables. */
export async function diskShare(dir: string, transactionsPerBlock: number): Promise<DiskShare> {
  const count = Math.max(10_000, 100 * transactionsPerBlock);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  const time = Date.now() - 3_600_000;
  const net = await makeTestnet({
    dir: join(dir, 'net'),
    name: 'weft-disk',
    demoAccounts: true,
    passphrase: null,
    time,
  });
  const store = join(dir, 'chain', 'store');
  const chain = await GrowthChain.open(net, join(dir, 'chain'), time);
  let leafBytes = 0;
  await chain.prepareRoutes();
  await chain.settled();
  const before = folderBytes(store);
  for (let made = 0; made < count; made += transactionsPerBlock) {
    const at = chain.nextTime;
    const signed = await chain.signed({ kind: 'packets', count: transactionsPerBlock, groups: 1, ids, at });
    await chain.addBlock(signed);
    const [block] = await chain.settled();
    for (const { leaf, type } of block?.records ?? []) if (type !== 'block') leafBytes += leaf.length;
  }
  await chain.close();
  // Opened again, what stood in the database's own log becomes a table; closed again, nothing else is left of it.
  for (let i = 0; i < 2; i += 1) await (await openLevel(store)).close();
  return {
    transactionsPerBlock,
    leafBytes: Math.round(leafBytes / count),
    storeBytes: Math.round((folderBytes(store) - before) / count),
  };
}

function cpuMs(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
