import { once } from 'node:events';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { JsonObject } from '../../contracts/types.ts';
import { readKeyFile } from '../../src/crypto/keyfile.ts';
import { TestNetwork } from '../e2e/network.ts';
import { placesOf } from './leaves.ts';
import { Load, type SeenBlock, type Sent } from './load.ts';
import { type Machine, machine } from './processes.ts';
import type { SignerTask } from './signer.ts';
import type { Signed } from './submitter.ts';
import { type Used, Watch } from './watch.ts';

/** A network of real processes under a load of packet commits, through RPC, and what became of it. */

export type Point = {
  /** Transactions a second, over all validators. */
  readonly rate: number;
  /** Packet ids per transaction. */
  readonly records: number;
  readonly seconds: number;
};

export type BenchOptions = {
  readonly validators: number;
  readonly points: readonly Point[];
  /** Of traffic before the first point, so that code is compiled and caches are warm. */
  readonly warmUpSeconds: number;
  /** Where the first validator leaves CPU profiles. */
  readonly profileDir?: string;
  readonly progress: (text: string) => void;
};

export type Quantiles = { readonly p50: number; readonly p99: number; readonly max: number };

export type PointResult = Point & {
  readonly offeredPerSecond: number;
  readonly committedPerSecond: number;
  readonly sent: number;
  readonly committed: number;
  /** Code → how many. */
  readonly refused: Readonly<Record<string, number>>;
  /** From when a transaction was due until a subscriber of the validator that took it heard of its final block. */
  readonly finalityMs: Quantiles;
  /** From when it was due until the validator answered that it is in the mempool. */
  readonly admissionMs: Quantiles;
  readonly blocksPerSecond: number;
  readonly transactionsPerBlock: number;
  readonly validatorCpuSeconds: readonly number[];
  readonly validatorPeakRssMiB: readonly number[];
  /** Growth of a validator's store, per committed transaction. */
  readonly diskBytesPerTransaction: number;
  readonly load: {
    readonly cpuSeconds: number;
    /** How late transactions were sent. */
    readonly lateMs: Quantiles;
    /** Share of the time in which its event loop was busy. */
    readonly busy: number;
  };
  /** Cores that other programs kept busy meanwhile. */
  readonly otherCores: number;
  /** What makes these figures say less than they seem to. */
  readonly notes: readonly string[];
};

export type BenchResult = {
  readonly version: string;
  readonly machine: Machine;
  readonly validators: number;
  readonly points: readonly PointResult[];
};

const agents = ['misty.weave', 'oracle.weave', 'echo.weave', 'rogue.weave'];
const account = 'router-prime';
/** Below the five minutes that the chain allows, above what signing and a run take. */
const lifetimeMs = 280_000;
/** How long an overloaded network may take to finish what it admitted. */
const drainMs = 60_000;
const mebibyte = 1024 * 1024;

/** A network that can be put under load: Weft's, or a rival's that does the same work. */
export type Engine = {
  readonly name: string;
  readonly version: string;
  run(point: Point): Promise<PointResult>;
  close(): Promise<void>;
};

export async function bench(options: BenchOptions): Promise<BenchResult> {
  const engine = await openWeft(options);
  try {
    const results: PointResult[] = [];
    if (options.warmUpSeconds > 0) {
      options.progress('warming up');
      await engine.run({ rate: 200, records: 1, seconds: options.warmUpSeconds });
    }
    for (const point of options.points) {
      options.progress(`${point.rate} tx/s, ${point.records} packets each, ${point.seconds} s`);
      results.push(await engine.run(point));
    }
    return { version: engine.version, machine: machine(), validators: options.validators, points: results };
  } finally {
    await engine.close();
  }
}

export async function openWeft(options: Pick<BenchOptions, 'validators' | 'profileDir' | 'progress'>): Promise<Engine> {
  const { profileDir } = options;
  const network = await TestNetwork.make({
    validators: options.validators,
    name: 'weft-bench',
    // One sender and one address make all the load here, so the limits per account and address would measure themselves.
    config: {
      rpc: { requestsPerSecond: 0, submitsPerSecond: 0 },
      mempool: { transactionsPerAccountMax: 50_000 },
      log: { level: 'info' },
    },
    ...(profileDir === undefined
      ? {}
      : { nodeArgs: (name) => (name === 'v1' ? ['--cpu-prof', '--cpu-prof-dir', profileDir] : []) }),
  });
  try {
    options.progress(`starting ${options.validators} validators`);
    network.startAll();
    const [status] = await network.ready();
    await prepareRoutes(network);
    const load = await Load.open(network.net.validators.map(({ rpc }) => rpc));
    return {
      name: 'weft',
      version: status?.version ?? '',
      run: (point) => runPoint(network, load, point),
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

/** Instances up and a table that routes between all agents: every commit is a route, a policy decision and a record. */
export async function prepareRoutes(network: TestNetwork): Promise<void> {
  const client = network.client('v1');
  const submit = async (type: string, body: JsonObject): Promise<void> => {
    await client.submitAndWait(await network.signed('operator', type, body));
  };
  const endpoint = { url: 'https://agent.example.net/nld', protocol: 'nld/http' };
  for (const instance of agents) await submit('routing.instance', { instance, state: 'up', endpoint, model: null });
  const rules = [{ id: 'all', source: 'role:agent', target: 'role:agent', outcome: 'allow' }];
  await submit('routing.publish', { replaces: 0, table: { format: 'weft/routing-table/v1', aliases: [], rules } });
}

export async function signAll(network: TestNetwork, count: number, records: number): Promise<Signed[]> {
  const path = network.net.accounts.get(account) ?? '';
  const key = (await readKeyFile(path, null)).find(({ name }) => name === 'account');
  if (key === undefined) throw new Error(`no key of ${account}`);
  const expires = Date.now() + lifetimeMs;
  const task = { chain: network.net.chain, seed: key.secret, account, agents, records, expires };
  const half = Math.ceil(count / 2);
  const parts = await Promise.all([half, count - half].map((each) => signPart({ ...task, count: each })));
  return parts.flat();
}

async function signPart(task: SignerTask): Promise<Signed[]> {
  const worker = new Worker(new URL('./signer.ts', import.meta.url), { workerData: task });
  const [signed] = (await once(worker, 'message')) as [Signed[]];
  await worker.terminate();
  return signed;
}

async function runPoint(network: TestNetwork, load: Load, point: Point): Promise<PointResult> {
  const { rate, seconds, records } = point;
  const signed = await signAll(network, Math.round(rate * seconds), records);
  const { names } = network;
  const pids = names.map((name) => network.pid(name));
  const logSizeBefore = Math.min(...(await network.until(() => true)).map(({ finalized }) => finalized.logSize));
  const blocksBefore = load.blocks.map(({ length }) => length);
  const watch = new Watch(
    pids,
    network.net.validators.map(({ data }) => join(data, 'store')),
  );
  const loopBefore = performance.eventLoopUtilization();
  const startedMs = performance.now();

  const sent = await load.run(signed, rate);
  const loop = performance.eventLoopUtilization(loopBefore);
  await drain(load, sent, blocksBefore);
  const used = watch.stop();

  const blocks = load.blocks.map((each, i) => each.slice(blocksBefore[i]));
  const logSize = blocks[0]?.at(-1)?.logSize ?? logSizeBefore;
  const places = await placesOf(network.net.validators[0]?.rpc ?? '', logSizeBefore, logSize);
  const finality: number[] = [];
  let lastMs = startedMs;
  for (const each of sent) {
    const heardMs = heardOf(places.get(each.envelopeId), blocks[each.validator] ?? []);
    if (heardMs === undefined) continue;
    finality.push(heardMs - each.dueMs);
    lastMs = Math.max(lastMs, heardMs);
  }
  const filled = (blocks[0] ?? []).filter(({ transactions }) => transactions > 0);
  return resultOf(point, { sent, finality, lastMs, filledBlocks: filled.length, used, busy: loop.utilization });
}

export type Outcome = {
  readonly sent: readonly Sent[];
  /** Milliseconds from due to heard, of each that was committed. */
  readonly finality: readonly number[];
  /** When the last one was heard of. */
  readonly lastMs: number;
  readonly filledBlocks: number;
  readonly used: Used;
  /** Share of the time in which the load generator's event loop was busy. */
  readonly busy: number;
};

export function resultOf(point: Point, { sent, finality, lastMs, filledBlocks, used, busy }: Outcome): PointResult {
  const { seconds } = point;
  const refused: Record<string, number> = {};
  for (const { refused: code } of sent) if (code !== '') refused[code] = (refused[code] ?? 0) + 1;
  const firstDueMs = sent[0]?.dueMs ?? lastMs;
  const spanSeconds = Math.max(seconds, (lastMs - firstDueMs) / 1000);
  const late = quantiles(sent.map(({ sentMs, dueMs }) => sentMs - dueMs));
  const missing = sent.length - finality.length - sum(Object.values(refused));
  return {
    ...point,
    offeredPerSecond: round(sent.length / Math.max(seconds, ((sent.at(-1)?.sentMs ?? 0) - firstDueMs) / 1000)),
    committedPerSecond: round(finality.length / spanSeconds),
    sent: sent.length,
    committed: finality.length,
    refused,
    finalityMs: quantiles(finality),
    admissionMs: quantiles(sent.map(({ answeredMs, dueMs }) => answeredMs - dueMs).filter(Number.isFinite)),
    blocksPerSecond: round(filledBlocks / spanSeconds),
    transactionsPerBlock: round(finality.length / Math.max(1, filledBlocks)),
    validatorCpuSeconds: used.cpuSeconds.map(round),
    validatorPeakRssMiB: used.peakRssBytes.map((bytes) => Math.round(bytes / mebibyte)),
    diskBytesPerTransaction: Math.round(sum(used.diskBytes) / used.diskBytes.length / Math.max(1, finality.length)),
    load: { cpuSeconds: round(used.ownSeconds), lateMs: late, busy: round(busy) },
    otherCores: round(used.otherCores),
    notes: notesOn({ late, busy, otherCores: used.otherCores, missing, spanSeconds, seconds }),
  };
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

function notesOn(found: {
  late: Quantiles;
  busy: number;
  otherCores: number;
  missing: number;
  spanSeconds: number;
  seconds: number;
}): string[] {
  const notes: string[] = [];
  const busy = `${Math.round(100 * found.busy)} %`;
  if (found.busy > 0.9) notes.push(`the load generator was the bottleneck: its event loop was ${busy} busy`);
  else if (found.late.p99 > 20) {
    notes.push(
      `the load generator got its turn late (p99 ${found.late.p99} ms, with its event loop ${busy} busy): this machine had no core free for it`,
    );
  }
  if (found.otherCores > 0.2) notes.push(`other programs kept ${found.otherCores.toFixed(1)} cores busy`);
  if (found.missing > 0) notes.push(`${found.missing} transactions were neither refused nor committed`);
  if (found.spanSeconds > found.seconds + 1.5)
    notes.push(`not sustained: ${(found.spanSeconds - found.seconds).toFixed(1)} s more were needed to commit them`);
  return notes;
}

export function quantiles(values: readonly number[]): Quantiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (fraction: number): number =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? Number.NaN);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
