/**
 * Whether something that may happen now and then happens again and again: so often within a minute that somebody should look.
 * True once a minute at most.
 */
export class Doubt {
  readonly #times: number;
  #count = 0;
  #fromMs = Number.NEGATIVE_INFINITY;

  constructor(times: number) {
    this.#times = times;
  }

  again(nowMs: number): boolean {
    if (nowMs - this.#fromMs > windowMs) {
      this.#fromMs = nowMs;
      this.#count = 0;
    }
    this.#count += 1;
    return this.#count === this.#times;
  }
}

const windowMs = 60_000;
