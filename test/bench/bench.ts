import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { readKeyFile } from '../../src/crypto/keyfile.ts';
import { TestNetwork } from '../e2e/network.ts';
import { placesOf } from './leaves.ts';
import { Load, type SeenBlock, type Sent } from './load.ts';
import { readPauses } from './pauses.ts';
import { type Engine, type Point, type PointResult, resultOf, sum } from './result.ts';
import { routesBetween } from './routes.ts';
import type { SignerTask } from './signer.ts';
import { inTwoThreads } from './signing.ts';
import type { Signed } from './submitter.ts';
import { Watch } from './watch.ts';
import { wireBytes } from './wire.ts';

/** A network of real processes under a load of packet commits, through RPC, and what became of it. */

export type WeftOptions = {
  readonly validators: number;
  /** Before anything is measured or late: code that V8 compiles while it runs is measured as it is later on. Default 0. */
  readonly warmUpSeconds?: number;
  /** One way, between every two validators: each pair talks through a relay of this process. */
  readonly delayMs?: number;
  /** Where the first validator leaves CPU profiles. */
  readonly profileDir?: string;
  readonly progress: (text: string) => void;
};

export type WeftEngine = Engine & {
  readonly rpc: readonly string[];
};

/** One sender and one address make all the load here, so the limits per account and address would measure themselves. */
export const oneSenderConfig = {
  rpc: { requestsPerSecond: 0, submitsPerSecond: 0, webSocketsMax: 4096, webSocketsPerAddressMax: 4096 },
  mempool: { transactionsPerAccountMax: 50_000 },
  log: { level: 'info' },
};

const account = 'router-prime';
/** Below the five minutes that the chain allows, above what signing and a run take. */
const lifetimeMs = 280_000;
/** Transactions a second. */
export const warmUpRate = 500;
/** How long an overloaded network may take to finish what it admitted. */
const drainMs = 60_000;

export async function openWeft(options: WeftOptions): Promise<WeftEngine> {
  const { profileDir, delayMs = 0, warmUpSeconds = 0 } = options;
  const network = await TestNetwork.make({
    validators: options.validators,
    name: 'weft-bench',
    config: oneSenderConfig,
    relays: delayMs > 0,
    ...(profileDir === undefined
      ? {}
      : { nodeArgs: (name) => (name === 'v1' ? ['--cpu-prof', '--cpu-prof-dir', profileDir] : []) }),
  });
  try {
    options.progress(`starting ${options.validators} validators`);
    network.startAll();
    const [status] = await network.ready();
    await prepareRoutes(network);
    const rpc = network.net.validators.map((each) => each.rpc);
    const load = await Load.open(rpc);
    if (warmUpSeconds > 0) {
      options.progress(`warming up for ${warmUpSeconds} s`);
      await runPoint(network, load, { rate: warmUpRate, records: 1, seconds: warmUpSeconds }, delayMs);
    }
    if (delayMs > 0) delayAll(network, delayMs);
    return {
      name: 'weft',
      version: status?.version ?? '',
      rpc,
      run: (point) => runPoint(network, load, point, delayMs),
      close: async () => {
        load.close();
        // A profile is written by a process that ends by itself.
        if (profileDir !== undefined) await network.signal('v1', 'SIGTERM');
        await network.remove();
      },
    };
  } catch (error) {
    await network.remove();
    throw error;
  }
}

function delayAll({ names, relays }: TestNetwork, delayMs: number): void {
  for (const [i, a] of names.entries()) for (const b of names.slice(i + 1)) relays.setBoth(a, b, { delayMs });
}

export async function prepareRoutes(network: TestNetwork): Promise<void> {
  const client = network.client('v1');
  for (const { type, body } of routesBetween()) {
    await client.submitAndWait(await network.signed('operator', type, body));
  }
}

export async function signAll(network: TestNetwork, count: number, records: number): Promise<Signed[]> {
  const path = network.net.accounts.get(account) ?? '';
  const key = (await readKeyFile(path, null)).find(({ name }) => name === 'account');
  if (key === undefined) throw new Error(`no key of ${account}`);
  const expires = Date.now() + lifetimeMs;
  const task = { chain: network.net.chain, seed: key.secret, account, records, expires };
  return inTwoThreads<SignerTask>(new URL('./signer.ts', import.meta.url), { ...task, count });
}

/** One point on a network that runs. `delayMs`: of its relays, 0 without. */
export async function runPoint(network: TestNetwork, load: Load, point: Point, delayMs: number): Promise<PointResult> {
  const { rate, seconds, records } = point;
  const signed = await signAll(network, Math.round(rate * seconds), records);
  const { names } = network;
  const pids = names.map((name) => network.pid(name));
  const logSizeBefore = Math.min(...(await network.until(() => true)).map(({ finalized }) => finalized.logSize));
  const blocksBefore = load.blocks.map(({ length }) => length);
  const rpc = network.net.validators.map((each) => each.rpc);
  // Behind relays no two validators have a connection of their own.
  const between = (): Promise<number | undefined> => (delayMs > 0 ? Promise.resolve(undefined) : wireBytes(pids));
  await readPauses(rpc);
  const wireBefore = await between();
  const watch = new Watch(
    pids,
    network.net.validators.map(({ data }) => [join(data, 'store')]),
  );
  const loopBefore = performance.eventLoopUtilization();
  const sent = await load.run(signed, rate);
  const loop = performance.eventLoopUtilization(loopBefore);
  await drain(load, sent, blocksBefore);
  const used = watch.stop();
  const wireAfter = await between();
  const pauses = await readPauses(rpc);

  const blocks = load.blocks.map((each, i) => each.slice(blocksBefore[i]));
  const logSize = blocks[0]?.at(-1)?.logSize ?? logSizeBefore;
  const places = await placesOf(network.net.validators[0]?.rpc ?? '', logSizeBefore, logSize);
  const filled = (blocks[0] ?? []).filter(({ transactions }) => transactions > 0);
  const proposals = blocks.flat().flatMap(({ transactions, tookMs }) => (transactions > 0 ? [tookMs] : []));
  return resultOf(point, {
    sent,
    heardMs: ({ envelopeId, validator }) => heardOf(places.get(envelopeId), blocks[validator] ?? []),
    filledBlocks: filled.length,
    proposals,
    wireBytes: wireBefore === undefined || wireAfter === undefined ? undefined : wireAfter - wireBefore,
    pauses,
    used,
    busy: loop.utilization,
  });
}

/** Waits until every admitted transaction is in a block that every validator told of, or nothing moves any more. */
export async function drain(load: Load, sent: readonly Sent[], blocksBefore: readonly number[]): Promise<void> {
  const deadline = performance.now() + drainMs;
  while (performance.now() < deadline) {
    const admitted = sent.filter(({ refused, answeredMs }) => refused === '' && !Number.isNaN(answeredMs)).length;
    const done = load.blocks.every(
      (blocks, i) => sum(blocks.slice(blocksBefore[i]).map(({ transactions }) => transactions)) >= admitted,
    );
    if (load.unanswered === 0 && done) return;
    await sleep(50);
  }
}

/** When a subscriber heard of the block that holds a leaf. `blocks` ascend. */
export function heardOf(index: number | undefined, blocks: readonly SeenBlock[]): number | undefined {
  if (index === undefined) return undefined;
  let low = 0;
  let high = blocks.length;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((blocks[middle]?.logSize ?? 0) > index) high = middle;
    else low = middle + 1;
  }
  return blocks[low]?.atMs;
}
