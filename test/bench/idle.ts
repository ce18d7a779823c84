import { setTimeout as sleep } from 'node:timers/promises';
import { TestNetwork } from '../e2e/network.ts';
import { mebibytes } from './processes.ts';
import { round, sum } from './result.ts';
import { Watch } from './watch.ts';

/** What a network costs in which nobody sends anything. */
export type IdleResult = {
  readonly validators: number;
  readonly seconds: number;
  /** Of all validators together, in percent of one core. */
  readonly cpuPercent: number;
  readonly cpuPercentEach: readonly number[];
  /** Empty blocks in the time. */
  readonly heartbeats: number;
  /** Growth of a validator's whole data folder; one file of the database more or less shows in it. */
  readonly diskBytesPerHeartbeat: number;
  readonly rssMiB: readonly number[];
  readonly otherCores: number;
};

/** After the start: code is compiled, questions are asked and answered. */
const settleMs = 15_000;

export async function idle(validators: number, seconds: number, progress: (text: string) => void): Promise<IdleResult> {
  const network = await TestNetwork.make({ validators, name: 'weft-bench', config: { log: { level: 'info' } } });
  try {
    progress(`starting ${validators} validators`);
    network.startAll();
    await network.ready();
    await sleep(settleMs);
    progress(`idle for ${seconds} s`);
    const heightOf = async (): Promise<number> =>
      (await network.status(network.names[0] ?? ''))?.finalized.height ?? Number.NaN;
    const before = await heightOf();
    const pids = network.names.map((name) => network.pid(name));
    const watch = new Watch(
      pids,
      network.names.map((name) => [network.dataOf(name)]),
    );
    await sleep(1000 * seconds);
    const used = watch.stop();
    const heartbeats = (await heightOf()) - before;
    const percent = (cpuSeconds: number): number => round((100 * cpuSeconds) / used.tookSeconds);
    return {
      validators,
      seconds,
      cpuPercent: percent(sum(used.cpuSeconds)),
      cpuPercentEach: used.cpuSeconds.map(percent),
      heartbeats,
      diskBytesPerHeartbeat: Math.round(sum(used.diskBytes) / validators / Math.max(1, heartbeats)),
      rssMiB: used.peakRssBytes.map((bytes) => mebibytes(bytes)),
      otherCores: round(used.otherCores),
    };
  } finally {
    await network.remove();
  }
}

export function renderIdle(result: IdleResult): string {
  const { validators, seconds, cpuPercent, cpuPercentEach, heartbeats, diskBytesPerHeartbeat, rssMiB } = result;
  return [
    `${validators} validators, ${seconds} s without a transaction, ${heartbeats} heartbeats`,
    `  CPU            ${cpuPercent} % of one core together (${cpuPercentEach.join(' ')})`,
    `  disk           ${diskBytesPerHeartbeat} bytes per heartbeat and validator`,
    `  memory         ${rssMiB.join(' ')} MiB`,
    ...(result.otherCores > 0.2 ? [`  note: other programs kept ${result.otherCores.toFixed(1)} cores busy`] : []),
    '',
  ].join('\n');
}
