import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestNetwork } from '../e2e/network.ts';
import { runPoint } from './bench.ts';
import { type Grown, type GrownSize, share, storeAt } from './growthFolder.ts';
import { Load } from './load.ts';
import { forgetFiles, readAheadKiB } from './pageCache.ts';
import { anonymousBytes, cpuSeconds, folderBytes, majorFaults, mebibytes, residentBytes } from './processes.ts';
import { type PointResult, type Quantiles, quantiles, round } from './result.ts';

/** Real validators on a chain of some size. */
export type NetworkGrowth = {
  /** From the process to the vote, of one that starts while the others run: median of some starts. */
  readonly liveSeconds: number;
  /** CPU until then. */
  readonly liveCpuSeconds: number;
  /** At each validator after the load: resident, and of that what is no mapped file. */
  readonly rssMiB: readonly number[];
  readonly anonymousMiB: readonly number[];
  readonly diskBytes: number;
  readonly point: PointResult;
  /** One question after the other, of one client; of entries anywhere in the log, the same ones each time. In memory: asked about before. */
  readonly tokenMs: Quantiles;
  readonly tokenCpuMs: number;
  readonly entryMs: Quantiles;
  readonly stateMs: Quantiles;
  /** Asked about for the first time, after the system was made to forget the files. */
  readonly coldTokenMs: Quantiles;
  readonly coldTokenCpuMs: number;
  /** How often one question waited for the disk, and how much that reads each time. */
  readonly coldReads: number;
  readonly readAheadKiB?: number;
};

const starts = 3;
const questions = 400;
/** Questions before those that count. */
const warmUp = 50;

export async function measureNetwork(
  dir: string,
  { net }: Grown,
  size: GrownSize,
  progress: (text: string) => void,
): Promise<NetworkGrowth> {
  progress(`${size.size} entries: ${net.validators.length} validators`);
  const network = TestNetwork.of(net, dir);
  for (const { data, keys } of net.validators) {
    rmSync(data, { recursive: true, force: true });
    share(storeAt(dir, size.size), join(data, 'store'));
    // On a chain of another size the same key has signed already: only here, where every signature is forgotten with its chain.
    rmSync(`${keys}.sign-state`, { force: true });
  }
  try {
    network.startAll();
    await network.ready();
    const last = network.names.at(-1) ?? '';
    const lives: { readonly seconds: number; readonly cpu: number }[] = [];
    for (let i = 0; i < starts; i += 1) lives.push(await restart(network, last));
    lives.sort((a, b) => a.seconds - b.seconds);
    const { seconds, cpu } = lives[starts >> 1] ?? { seconds: Number.NaN, cpu: Number.NaN };
    await network.ready();
    progress(`${size.size} entries: live after ${seconds.toFixed(2)} s (CPU ${cpu.toFixed(2)} s)`);

    const load = await Load.open(net.validators.map(({ rpc }) => rpc));
    await runPoint(network, load, { rate: 100, records: 3, seconds: 3 }, 0);
    const point = await runPoint(network, load, { rate: 50, records: 3, seconds: 10 }, 0);
    load.close();
    const pids = network.names.map((name) => network.pid(name));
    const client = network.client(last);
    const pid = network.pid(last);
    // The newest entries may not be published yet.
    const indexes = Array.from(
      { length: warmUp + questions },
      () => 1 + Math.floor(Math.random() * (size.entries - 2)),
    );
    const token = (i: number): Promise<unknown> => client.call('token.get', { index: indexes[i] ?? 1 });
    const store = join(network.dataOf(last), 'store');
    forgetFiles(store);
    const faults = majorFaults(pid);
    const cold = await timed(pid, token);
    const coldReads = (majorFaults(pid) - faults) / indexes.length;
    const again = await timed(pid, token);
    const entry = await timed(pid, (i) => client.call('log.entry', { index: indexes[i] ?? 1 }));
    const model = (): string => `models/model/grown-${Math.floor(Math.random() * 50_000)}`;
    const state = await timed(pid, () => client.call('state.get', { path: model() }));
    const readAhead = readAheadKiB(store);
    return {
      liveSeconds: round(seconds),
      liveCpuSeconds: round(cpu),
      rssMiB: pids.map((pid) => mebibytes(residentBytes(pid))),
      anonymousMiB: pids.map((pid) => mebibytes(anonymousBytes(pid))),
      diskBytes: folderBytes(network.dataOf(last)),
      point,
      tokenMs: again.ms,
      tokenCpuMs: again.cpuMs,
      entryMs: entry.ms,
      stateMs: state.ms,
      coldTokenMs: cold.ms,
      coldTokenCpuMs: cold.cpuMs,
      coldReads: round(coldReads),
      ...(readAhead === undefined ? {} : { readAheadKiB: readAhead }),
    };
  } catch (error) {
    throw new Error(`${String(error)}\n${network.logTails()}`);
  } finally {
    await network.signalAll('SIGKILL');
  }
}

async function restart(network: TestNetwork, name: string): Promise<{ seconds: number; cpu: number }> {
  await network.signal(name, 'SIGTERM');
  const started = performance.now();
  network.start(name);
  for (;;) {
    await sleep(10);
    const status = await network.status(name);
    if (status !== undefined && status.notVoting === '' && !status.catchingUp) break;
    if (!network.running(name) || performance.now() - started > 120_000) throw new Error(`${name} does not come up`);
  }
  return { seconds: (performance.now() - started) / 1000, cpu: cpuSeconds(network.pid(name)) };
}

/** `cpuMs`: of the process that answers, a question. */
async function timed(
  pid: number,
  ask: (i: number) => Promise<unknown>,
): Promise<{ readonly ms: Quantiles; readonly cpuMs: number }> {
  const took: number[] = [];
  const before = cpuSeconds(pid);
  for (let i = 0; i < warmUp + questions; i += 1) {
    const started = performance.now();
    await ask(i);
    if (i >= warmUp) took.push(performance.now() - started);
  }
  return { ms: quantiles(took), cpuMs: round((1000 * (cpuSeconds(pid) - before)) / (warmUp + questions)) };
}
