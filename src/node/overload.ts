import { WeftError } from '../codec/error.ts';
import type { LoopDelay } from './loopDelay.ts';
import type { Mempool } from './mempool.ts';

/**
 * Takes from clients what this node can bring through, and no more: a transaction that is taken in above that costs all validators
 * its verification and takes the time from votes, so that fewer become final, not more. What is refused costs almost nothing, and its
 * sender learns when to try again.
 *
 * What counts is how many transactions wait, held against how many became final lately; where the event loop is late (docs/performance.md,
 * "one event loop a validator") half as many may. A late loop alone refuses nobody: on a machine that other programs use it is late with
 * nothing to do, and what is taken in becomes final all the same. The refused share grows, so that the load settles where it can be carried.
 */
export type OverloadModules = {
  readonly loop: Pick<LoopDelay, 'ms' | 'lastMs'>;
  /** Transactions that are admitted and not final. */
  readonly pool: Pick<Mempool, 'size' | 'accounts' | 'pendingOf'>;
  /** Transactions on their way into the pool: waiting for a turn, or being verified. */
  readonly arriving: () => number;
  readonly monotonicMs: () => number;
};

export const overloadLimits = {
  /** Between these delays of the event loop the number that may wait falls from all to the part. */
  delayFromMs: 150,
  delayToMs: 600,
  latePart: 0.5,
  /** So many may wait in a loop that is in time: a burst is no overload. */
  pendingMin: 2048,
  /** Else as many as became final in so long; all are taken up to half of that. */
  pendingMs: 2000,
  /** Told to who is refused: at the least share, and more of it with a larger one. */
  retryAfterMs: 250,
  retryMoreMs: 1750,
} as const;

/** Of what is told to who is refused. */
const retryStepMs = 50;
/** Over how long the rate of finality is looked at. */
const rateMs = 2000;

export class Overload {
  readonly #modules: OverloadModules;
  /** Transactions that became final, the older the less; divided by `rateMs` it is their rate. */
  #final = 0;
  #finalMs = 0;
  /** Shares of a refusal that are owed: the refused are spread evenly, without chance. */
  #owed = 0;
  /** By time to wait: a flood is answered with few objects, and no trace of the stack for each. */
  readonly #errors = new Map<number, WeftError>();
  refused = 0;

  constructor(modules: OverloadModules) {
    this.#modules = modules;
  }

  /** Called with the transactions of each block that became final. */
  finalized(transactions: number): void {
    const now = this.#modules.monotonicMs();
    this.#final = this.#finalAt(now) + transactions;
    this.#finalMs = now;
  }

  /** Of the event loop, smoothed; 0 while no client sends anything. */
  get delayMs(): number {
    return this.#modules.loop.lastMs;
  }

  /** Share of what clients send that is refused at present, from 0 to 1; of an account with less than its part, less. */
  get share(): number {
    return this.#share(this.delayMs, () => undefined);
  }

  #share(delayMs: number, claimed: () => string | undefined): number {
    const { delayFromMs, delayToMs, latePart, pendingMin, pendingMs } = overloadLimits;
    const { pool, arriving, monotonicMs } = this.#modules;
    const waiting = pool.size + arriving();
    const late = Math.min(1, Math.max(0, (delayMs - delayFromMs) / (delayToMs - delayFromMs)));
    const part = 1 - late * (1 - latePart);
    // Half of the least number is always fine; the rate is only looked at above it.
    if (waiting * 2 <= pendingMin * part) return 0;
    const room = Math.max(pendingMin, (this.#finalAt(monotonicMs()) / rateMs) * pendingMs) * part;
    const account = claimed();
    // Who fills the pool is refused first: an account with fewer than others have on average is not, up to twice the room.
    const within = account !== undefined && pool.pendingOf(account) * pool.accounts < pool.size;
    return Math.min(1, Math.max(0, (within ? 1 : 2) * (waiting / room) - 1));
  }

  /**
   * @param claimed the account that the transaction names
   * @throws WeftError RPC_BUSY with `details.retryAfterMs`
   */
  check(claimed: () => string | undefined): void {
    const share = this.#share(this.#modules.loop.ms, claimed);
    if (share === 0) return;
    this.#owed += share;
    if (this.#owed < 1) return;
    this.#owed -= 1;
    this.refused += 1;
    const { retryAfterMs, retryMoreMs } = overloadLimits;
    throw this.#busy(retryAfterMs + Math.round((share * retryMoreMs) / retryStepMs) * retryStepMs);
  }

  #busy(retryAfterMs: number): WeftError {
    let error = this.#errors.get(retryAfterMs);
    if (error === undefined) {
      error = new WeftError(
        'RPC_BUSY',
        'this node is given more transactions than the network can bring through; try again shortly',
        { retryAfterMs },
      );
      this.#errors.set(retryAfterMs, error);
    }
    return error;
  }

  #finalAt(now: number): number {
    return this.#final * Math.exp((this.#finalMs - now) / rateMs);
  }
}
