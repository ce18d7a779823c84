import { performance } from 'node:perf_hooks';
import { Appended } from './appended.ts';
import { cpuSeconds, machineBusySeconds, mainThreadCpuSeconds, residentBytes } from './processes.ts';

/** What a network's processes use while a load runs, whoever made them, and what else the machine did. */

export type Used = {
  readonly tookSeconds: number;
  readonly cpuSeconds: readonly number[];
  /** Of those, the first thread's. */
  readonly mainThreadSeconds: readonly number[];
  readonly peakRssBytes: readonly number[];
  /** That each validator's folders were given. */
  readonly diskBytes: readonly number[];
  /** CPU seconds of this process. */
  readonly ownSeconds: number;
  /** Cores that other programs kept busy. */
  readonly otherCores: number;
};

const everyMs = 250;

export class Watch {
  readonly #pids: readonly number[];
  readonly #timer: NodeJS.Timeout;
  readonly #peak: number[];
  readonly #cpu: readonly number[];
  readonly #mainThread: readonly number[];
  readonly #disk: readonly (readonly Appended[])[];
  readonly #busy = machineBusySeconds();
  readonly #own = process.cpuUsage();
  readonly #startedMs = performance.now();

  /** `folders`: of each process, what of its disk counts. */
  constructor(pids: readonly number[], folders: readonly (readonly string[])[]) {
    this.#pids = pids;
    this.#peak = pids.map(residentBytes);
    this.#cpu = pids.map(cpuSeconds);
    this.#mainThread = pids.map(mainThreadCpuSeconds);
    this.#disk = folders.map((each) => each.map((folder) => new Appended(folder)));
    this.#timer = setInterval(() => this.#look(), everyMs);
  }

  #look(): void {
    for (const [i, pid] of this.#pids.entries()) this.#peak[i] = Math.max(this.#peak[i] ?? 0, residentBytes(pid));
    for (const each of this.#disk.flat()) each.look();
  }

  stop(): Used {
    clearInterval(this.#timer);
    this.#look();
    const tookSeconds = (performance.now() - this.#startedMs) / 1000;
    const own = process.cpuUsage(this.#own);
    const ownSeconds = (own.user + own.system) / 1e6;
    const cpu = this.#pids.map((pid, i) => cpuSeconds(pid) - (this.#cpu[i] ?? 0));
    const busy = machineBusySeconds() - this.#busy;
    const others = busy - ownSeconds - cpu.reduce((total, each) => total + each, 0);
    return {
      tookSeconds,
      cpuSeconds: cpu,
      mainThreadSeconds: this.#pids.map((pid, i) => mainThreadCpuSeconds(pid) - (this.#mainThread[i] ?? 0)),
      peakRssBytes: this.#peak,
      diskBytes: this.#disk.map((each) => each.reduce((total, { bytes }) => total + bytes, 0)),
      ownSeconds,
      otherCores: Math.max(0, others) / tookSeconds,
    };
  }
}
