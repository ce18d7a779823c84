/** How often something may happen: the verification budget of a lane, and the waits before a new attempt. */

/** Token bucket: `perSecond` on average, `burst` at once. */
export class Budget {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #atMs: number;

  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#tokens = burst;
    this.#atMs = nowMs;
  }

  /** Takes `cost` tokens; false (and nothing taken) when there are too few. */
  take(cost: number, nowMs: number): boolean {
    this.#tokens = Math.min(this.#burst, this.#tokens + Math.max(0, nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
    if (this.#tokens < cost) return false;
    this.#tokens -= cost;
    return true;
  }
}

/**
 * Waits that double from `minMs` to `maxMs`, each shortened by up to half at random, so that validators that lost each
 * other at one moment do not dial at one moment.
 */
export class Backoff {
  readonly #minMs: number;
  readonly #maxMs: number;
  #nextMs: number;

  constructor(minMs: number, maxMs: number) {
    this.#minMs = minMs;
    this.#maxMs = maxMs;
    this.#nextMs = minMs;
  }

  next(): number {
    const waitMs = this.#nextMs;
    this.#nextMs = Math.min(this.#maxMs, waitMs * 2);
    return Math.ceil(waitMs * (0.5 + Math.random() / 2));
  }

  reset(): void {
    this.#nextMs = this.#minMs;
  }
}

/** Growing closure of a lane after misbehaviour. A time of `maxMs` without any forgives everything: nobody is banned for ever. */
export class Penalty {
  readonly #minMs: number;
  readonly #maxMs: number;
  #lengthMs: number;
  #untilMs = 0;

  constructor(minMs: number, maxMs: number) {
    this.#minMs = minMs;
    this.#maxMs = maxMs;
    this.#lengthMs = minMs;
  }

  strike(nowMs: number): void {
    if (nowMs > this.#untilMs + this.#maxMs) this.#lengthMs = this.#minMs;
    this.#untilMs = nowMs + this.#lengthMs;
    this.#lengthMs = Math.min(this.#maxMs, this.#lengthMs * 2);
  }

  /** Milliseconds that the lane must still stay closed; 0 = it may open. */
  leftMs(nowMs: number): number {
    return Math.max(0, this.#untilMs - nowMs);
  }
}
