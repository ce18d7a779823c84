import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestNetwork } from '../e2e/network.ts';
import { runPoint } from './bench.ts';
import { type Grown, type GrownSize, share, storeAt } from './growthFolder.ts';
import { Load } from './load.ts';
import { anonymousBytes, cpuSeconds, folderBytes, residentBytes } from './processes.ts';
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
  /** One question after the other, of one client; of entries anywhere in the log. */
  readonly tokenMs: Quantiles;
  readonly tokenCpuMs: number;
  readonly entryMs: Quantiles;
  readonly stateMs: Quantiles;
};

const starts = 3;
const questions = 400;
const mebibyte = 1024 * 1024;

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
    // The newest entries may not be published yet.
    const index = (): number => 1 + Math.floor(Math.random() * (size.entries - 2));
    const before = cpuSeconds(network.pid(last));
    const tokenMs = await timed(() => client.call('token.get', { index: index() }));
    const tokenCpuMs = (1000 * (cpuSeconds(network.pid(last)) - before)) / questions;
    const entryMs = await timed(() => client.call('log.entry', { index: index() }));
    const model = (): string => `models/model/grown-${Math.floor(Math.random() * 50_000)}`;
    const stateMs = await timed(() => client.call('state.get', { path: model() }));
    return {
      liveSeconds: round(seconds),
      liveCpuSeconds: round(cpu),
      rssMiB: pids.map((pid) => Math.round(residentBytes(pid) / mebibyte)),
      anonymousMiB: pids.map((pid) => Math.round(anonymousBytes(pid) / mebibyte)),
      diskBytes: folderBytes(network.dataOf(last)),
      point,
      tokenMs,
      tokenCpuMs: round(tokenCpuMs),
      entryMs,
      stateMs,
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

async function timed(ask: () => Promise<unknown>): Promise<Quantiles> {
  const took: number[] = [];
  for (let i = 0; i < questions + 50; i += 1) {
    const started = performance.now();
    await ask();
    if (i >= 50) took.push(performance.now() - started);
  }
  return quantiles(took);
}
