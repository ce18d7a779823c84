import { anonymousBytes, residentBytes } from '../bench/processes.ts';
import type { TestNetwork } from '../e2e/network.ts';

/** What one process used and how fast it finalized, at one moment. */
export type ProcessSample = {
  readonly name: string;
  /** Which life of that validator: 1, 2, … */
  readonly life: number;
  /** Seconds since the run began, and since this life did. */
  readonly atS: number;
  readonly ageS: number;
  readonly rssMiB: number;
  /** Of it, without mapped files: the store's tables are mapped, and their pages are file cache. */
  readonly anonMiB: number;
  /** Of JavaScript, and outside of it (buffers); absent when it did not answer. */
  readonly heapMiB?: number;
  readonly externalMiB?: number;
  /** 99 of 100 blocks since the last sample were final so soon after their own time, in seconds (a bucket's bound); absent without blocks. */
  readonly finalityP99S?: number;
  readonly height?: number;
};

const mebibyte = 1024 * 1024;

/** Takes samples of all validators; knows the counters of the last time. */
export class Sampler {
  readonly #network: TestNetwork;
  readonly #startedMs = performance.now();
  readonly #lives = new Map<string, { pid: number; life: number; sinceMs: number; buckets: readonly Bucket[] }>();

  constructor(network: TestNetwork) {
    this.#network = network;
  }

  get seconds(): number {
    return (performance.now() - this.#startedMs) / 1000;
  }

  async take(): Promise<ProcessSample[]> {
    const all = await Promise.all(this.#network.names.map((name) => this.#one(name)));
    return all.filter((sample) => sample !== undefined);
  }

  async #one(name: string): Promise<ProcessSample | undefined> {
    if (!this.#network.running(name)) return undefined;
    const pid = this.#network.pid(name);
    const known = this.#lives.get(name);
    const nowMs = performance.now();
    const life =
      known?.pid === pid
        ? known
        : { pid, life: (known?.life ?? 0) + 1, sinceMs: nowMs, buckets: [] as readonly Bucket[] };
    const rssMiB = Math.round((10 * residentBytes(pid)) / mebibyte) / 10;
    if (rssMiB === 0) return undefined;
    const base = {
      name,
      life: life.life,
      atS: round(this.seconds),
      ageS: round((nowMs - life.sinceMs) / 1000),
      rssMiB,
      anonMiB: Math.round((10 * anonymousBytes(pid)) / mebibyte) / 10,
    };
    let text: string;
    try {
      const rpc = this.#network.net.validators.find((each) => each.name === name)?.rpc;
      text = await (await fetch(`${rpc}/metrics`, { signal: AbortSignal.timeout(2000) })).text();
    } catch {
      // Suspended, or not up yet.
      this.#lives.set(name, life);
      return base;
    }
    const buckets = bucketsOf(text);
    const p99 = quantileOf(life.buckets, buckets, 0.99);
    this.#lives.set(name, { ...life, buckets });
    return {
      ...base,
      heapMiB: round(value(text, 'nodejs_heap_size_used_bytes') / mebibyte),
      externalMiB: round(value(text, 'nodejs_external_memory_bytes') / mebibyte),
      height: value(text, 'weft_finalized_height'),
      ...(p99 === undefined ? {} : { finalityP99S: p99 }),
    };
  }
}

type Bucket = { readonly le: number; readonly count: number };

function bucketsOf(text: string): Bucket[] {
  return [...text.matchAll(/^weft_finality_seconds_bucket\{le="([^"]+)"\} (\S+)$/gm)].map(([, le, count]) => ({
    le: le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le),
    count: Number(count),
  }));
}

function quantileOf(before: readonly Bucket[], after: readonly Bucket[], fraction: number): number | undefined {
  const counts = after.map(({ le, count }, i) => ({ le, count: count - (before[i]?.count ?? 0) }));
  const all = counts.at(-1)?.count ?? 0;
  if (all <= 0) return undefined;
  const found = counts.find(({ count }) => count >= fraction * all)?.le ?? Number.POSITIVE_INFINITY;
  // Above the last bound nothing is known but that.
  return found === Number.POSITIVE_INFINITY ? (counts.at(-2)?.le ?? found) : found;
}

function value(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
