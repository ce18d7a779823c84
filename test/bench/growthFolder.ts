import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { makeTestnet, type Testnet } from '../../src/cli/testnet.ts';
import { openLevel } from '../../src/ledger/keyValue.ts';
import { freeBase } from '../freePorts.ts';
import { oneSenderConfig } from './bench.ts';
import { GrowthChain } from './growthChain.ts';
import { folderBytes } from './processes.ts';

/** A folder that keeps a chain at several sizes, so that it is made once and measured often. */

export type GrownSize = {
  /** Asked for, and what the log has: the last block is not cut. */
  readonly size: number;
  readonly entries: number;
  readonly blocks: number;
  readonly stateKeys: number;
  readonly storeBytes: number;
  /** What making it took since the size before; of a chain that was interrupted only the last piece. */
  readonly madeSeconds: number;
};

export type Grown = {
  readonly net: Testnet;
  readonly time: number;
  readonly sizes: readonly GrownSize[];
};

type Kept = {
  readonly time: number;
  readonly net: Omit<Testnet, 'accounts'> & { accounts: [string, string][] };
  sizes: GrownSize[];
};

/** Blocks stand 50 ms apart, and the last one is to be in the past. */
const genesisAgoMs = 6 * 3_600_000;

/** The store at this size; its files are shared with the chain and with copies of it. */
export function storeAt(dir: string, size: number): string {
  return join(dir, `at-${size}`, 'store');
}

/**
 * Makes what is missing. The first size is without the models, which are registered before the second: two keys of state each.
 * It may be interrupted at any moment and goes on from there.
 */
export async function grow(
  dir: string,
  options: {
    readonly validators: number;
    readonly sizes: readonly number[];
    readonly models: number;
    readonly progress: (text: string) => void;
  },
): Promise<Grown> {
  const { sizes, models, progress } = options;
  const kept = await keptIn(dir, options.validators);
  const net: Testnet = { ...kept.net, accounts: new Map(kept.net.accounts) };
  if (net.validators.length !== options.validators)
    throw new Error(`${dir} holds a chain of ${net.validators.length} validators: take another folder`);
  const missing = sizes.filter((size) => !kept.sizes.some((each) => each.size === size));
  for (const size of missing) {
    const started = performance.now();
    const chainDir = join(dir, 'chain');
    const chain = await GrowthChain.open(net, chainDir, kept.time);
    if (chain.entries > size) {
      await chain.close();
      throw new Error(`the chain in ${dir} is past ${size} entries: take another folder`);
    }
    await chain.prepareRoutes();
    if (size !== sizes[0])
      await chain.growState(
        models,
        every(10_000, (done) => progress(`${done} models`)),
      );
    await chain.growLog(
      size,
      every(Math.max(10_000, size / 20), (done) => progress(`${done} of ${size} entries`)),
    );
    const { finalized } = chain.ledger;
    const stateKeys = await chain.stateKeys();
    await chain.close();
    share(join(chainDir, 'store'), storeAt(dir, size));
    // What the quick database left in its log becomes tables, so that no copy begins with that.
    await (await openLevel(storeAt(dir, size))).close();
    kept.sizes.push({
      size,
      entries: finalized.header.logSize,
      blocks: finalized.header.height,
      stateKeys,
      storeBytes: folderBytes(storeAt(dir, size)),
      madeSeconds: Math.round((performance.now() - started) / 1000),
    });
    write(dir, kept);
  }
  return { net, time: kept.time, sizes: kept.sizes.filter(({ size }) => sizes.includes(size)) };
}

async function keptIn(dir: string, validators: number): Promise<Kept> {
  const file = join(dir, 'grown.json');
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as Kept;
  mkdirSync(dir, { recursive: true });
  const time = Date.now() - genesisAgoMs;
  const net = await makeTestnet({
    dir: join(dir, 'net'),
    validators,
    basePort: await freeBase(validators),
    name: 'weft-growth',
    demoAccounts: true,
    passphrase: null,
    time,
    config: oneSenderConfig,
  });
  const kept: Kept = { time, net: { ...net, accounts: [...net.accounts] }, sizes: [] };
  write(dir, kept);
  return kept;
}

function write(dir: string, kept: Kept): void {
  writeFileSync(join(dir, 'grown.json'), `${JSON.stringify(kept, null, 2)}\n`);
}

/** A copy of a store. LevelDB never changes a table once it is there, so both may name the same ones; the rest is copied. */
export function share(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) {
    if (name === 'LOCK') continue;
    if (name.endsWith('.ldb')) linkSync(join(from, name), join(to, name));
    else copyFileSync(join(from, name), join(to, name));
  }
}

function every(step: number, tell: (done: number) => void): (done: number) => void {
  let next = step;
  return (done) => {
    if (done < next) return;
    tell(done);
    while (next <= done) next += step;
  };
}
