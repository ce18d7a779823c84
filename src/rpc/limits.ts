/**
 * Token buckets per key in a bounded map: a key that was idle longest is forgotten first. Forgetting is harmless for the
 * server (a forgotten key starts with a full bucket) and keeps memory fixed whatever addresses arrive.
 */
export type RateLimitOptions = {
  /** Sustained rate; 0 switches the limit off. */
  readonly perSecond: number;
  /** What may come at once. */
  readonly burst: number;
  readonly keysMax: number;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
};

type Bucket = { tokens: number; atMs: number; movedMs: number };

/** A bucket moves to the end of the order of use this often: who is forgotten need not be the longest idle by less. */
const moveEveryMs = 1000;

export class RateLimit {
  readonly #options: RateLimitOptions;
  readonly #now: () => number;
  /** Insertion order is order of last use, to within `moveEveryMs`. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(options: RateLimitOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** Takes `count` tokens of `key`. Answers 0, or how many milliseconds to wait; then nothing was taken. */
  take(key: string, count = 1): number {
    if (this.#options.perSecond === 0 || count === 0) return 0;
    const now = this.#now();
    const bucket = this.#filled(key, now);
    const waitMs = this.#waitMs(bucket?.tokens ?? this.#options.burst, count);
    if (waitMs === 0) this.#charge(key, bucket, count, now);
    return waitMs;
  }

  /** Milliseconds until `count` tokens are there; 0 when they are. Takes nothing. */
  waitMs(key: string, count = 1): number {
    if (this.#options.perSecond === 0 || count === 0) return 0;
    return this.#waitMs(this.#filled(key, this.#now())?.tokens ?? this.#options.burst, count);
  }

  /** Takes `count` tokens whether they are there or not (a debt is paid off by waiting). */
  charge(key: string, count = 1): void {
    if (this.#options.perSecond === 0 || count === 0) return;
    const now = this.#now();
    this.#charge(key, this.#filled(key, now), count, now);
  }

  #waitMs(tokens: number, count: number): number {
    const { perSecond, burst } = this.#options;
    // A batch larger than the whole bucket passes when the bucket is full, and then leaves a debt.
    const lacking = Math.min(count, burst) - tokens;
    return lacking <= 0 ? 0 : Math.ceil((lacking / perSecond) * 1000);
  }

  #charge(key: string, bucket: Bucket | undefined, count: number, now: number): void {
    if (bucket === undefined) {
      this.#buckets.set(key, { tokens: this.#options.burst - count, atMs: now, movedMs: now });
      if (this.#buckets.size <= this.#options.keysMax) return;
      const oldest = this.#buckets.keys().next();
      if (!oldest.done) this.#buckets.delete(oldest.value);
      return;
    }
    bucket.tokens -= count;
    if (now - bucket.movedMs < moveEveryMs) return;
    bucket.movedMs = now;
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
  }

  /** The bucket with what has flowed into it up to now; undefined is a full one. */
  #filled(key: string, now: number): Bucket | undefined {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return undefined;
    const { perSecond, burst } = this.#options;
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.atMs) / 1000) * perSecond);
    bucket.atMs = now;
    return bucket;
  }
}

/** What one client is: an IPv4 address, or the /64 of an IPv6 address, since one host owns all of that. */
export function clientKey(address: string | undefined): string {
  if (address === undefined) return 'unknown';
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1] !== undefined) return mapped[1];
  if (!address.includes(':')) return address;
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const gap = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array.from({ length: gap }, () => '0'), ...right];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}
