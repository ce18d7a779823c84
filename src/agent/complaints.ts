import { codeOf, messageOf } from '../codec/error.ts';

/** Each of them is told of so often at most: what goes wrong goes wrong with each renewal of each route. */
const againAfterMs = 60_000;
/** Codes of nodes may be made up: of more than these nothing is told until some are forgotten. */
const codesMax = 32;
/** A race of our own, or what a node made up about an intent: nobody need do anything. */
const nobodysCodes = /^(EXECUTOR_(BUSY|CLOSED)|TOKEN_(EFFECT|AUDIENCE)|TX_UNKNOWN)$/;

/** Why grants are not opened, or leases not renewed, for people: by code, now and then. */
export class Complaints {
  readonly #say: (message: string) => void;
  readonly #nowMs: () => number;
  readonly #toldMs = new Map<string, number>();

  /** `nowMs`: monotonic. */
  constructor(say: (message: string) => void, nowMs: () => number = () => performance.now()) {
    this.#say = say;
    this.#nowMs = nowMs;
  }

  about(error: unknown): void {
    const code = codeOf(error);
    if (nobodysCodes.test(code)) return;
    const now = this.#nowMs();
    for (const [known, atMs] of this.#toldMs) if (now - atMs >= againAfterMs) this.#toldMs.delete(known);
    if (this.#toldMs.has(code) || this.#toldMs.size >= codesMax) return;
    this.#toldMs.set(code, now);
    // Some of it may be a node's words.
    const why = messageOf(error)
      .slice(0, 500)
      .replace(/\p{Cc}/gu, ' ');
    this.#say(`grants are not looked at, or leases not renewed (${code}): ${why}`);
  }
}
