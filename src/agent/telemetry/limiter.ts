/**
 * So many events a second of each source, and a burst: a source that floods pushes out its own events, not those of others. What
 * is held back is counted by source, and told of once a period.
 */
export type LimiterOptions = {
  /** Events a second of one source. 0: no limit. */
  readonly perSecond: number;
  /** At once, after a rest. */
  readonly burst: number;
  /** Sources that are known at a time; the one that was quiet longest is forgotten. */
  readonly sourcesMax: number;
};

type Bucket = { tokens: number; atMs: number; held: number };

export class Limiter {
  readonly #options: LimiterOptions;
  /** In the order of last use. */
  readonly #buckets = new Map<string, Bucket>();
  #forgotten = 0;
  /** Events held back since the start, over all sources. */
  limited = 0;

  constructor(options: LimiterOptions) {
    this.#options = options;
  }

  /** May an event of `source` pass at `nowMs` (monotonic)? */
  take(source: string, nowMs: number): boolean {
    const { perSecond, burst, sourcesMax } = this.#options;
    if (perSecond === 0) return true;
    const bucket = this.#buckets.get(source) ?? { tokens: burst, atMs: nowMs, held: 0 };
    this.#buckets.delete(source);
    this.#buckets.set(source, bucket);
    if (this.#buckets.size > sourcesMax) this.#forgetOldest();
    bucket.tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) * perSecond) / 1000);
    bucket.atMs = nowMs;
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      return true;
    }
    bucket.held += 1;
    this.limited += 1;
    return false;
  }

  /** How many of each source were held back since the last call, the most first; at most `max`, the rest as one. */
  collect(max: number): { readonly source: string; readonly count: number }[] {
    const found: { source: string; count: number }[] = [];
    for (const [source, bucket] of this.#buckets) {
      if (bucket.held > 0) found.push({ source, count: bucket.held });
      bucket.held = 0;
    }
    found.sort((a, b) => b.count - a.count);
    const rest = found.splice(max).reduce((sum, { count }) => sum + count, this.#forgotten);
    this.#forgotten = 0;
    return rest > 0 ? [...found, { source: 'others', count: rest }] : found;
  }

  #forgetOldest(): void {
    const oldest = this.#buckets.entries().next();
    if (oldest.done) return;
    this.#forgotten += oldest.value[1].held;
    this.#buckets.delete(oldest.value[0]);
  }
}
