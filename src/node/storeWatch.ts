import { codeOf } from '../codec/error.ts';
import type { Ledger } from '../ledger/ledger.ts';

/**
 * Reads the stored blocks again, all of them once a day: a disk that changes what nobody asks for is found before somebody does, or
 * before a restart needs it. Not more often, because the store's files are mapped into memory, and what is read stays there until
 * the system wants the room. Damage counts when it is seen twice, so that a slice of pruning between two reads is none.
 */
export type StoreWatchModules = {
  readonly ledger: Pick<Ledger, 'checkStored' | 'finalized' | 'floor'>;
  readonly damaged: (code: string, detail: string) => void;
  readonly monotonicMs: () => number;
};

const roundMs = 24 * 60 * 60 * 1000;
/** Of each turn: little beside what a block takes. A store of more than five million blocks takes longer than a day. */
const budgetMs = 10;
const blocksMax = 64;
const againMs = 10_000;

export class StoreWatch {
  readonly #modules: StoreWatchModules;
  #next: number;
  /** Blocks that are due, with what is left over from the turn before. */
  #due = 0;
  #lastMs: number;
  #suspect: { readonly height: number; readonly seenMs: number } | undefined;
  #stopped = false;
  /** Blocks that held. */
  checked = 0;

  /** `first`: height at which it begins; at random, so that a node that is started often comes to all of them. */
  constructor(modules: StoreWatchModules, first: number) {
    this.#modules = modules;
    this.#next = first;
    this.#lastMs = modules.monotonicMs();
  }

  stop(): void {
    this.#stopped = true;
  }

  tick(): void {
    if (this.#stopped) return;
    const { ledger, monotonicMs } = this.#modules;
    const from = monotonicMs();
    const lowest = ledger.floor.height;
    const highest = ledger.finalized.header.height;
    const held = highest - lowest + 1;
    this.#due = Math.min(blocksMax, this.#due + (held * (from - this.#lastMs)) / roundMs);
    this.#lastMs = from;
    if (held <= 0) return;
    if (this.#suspect !== undefined) {
      if (from - this.#suspect.seenMs < againMs) return;
      this.#due = Math.max(1, this.#due);
    }
    while (this.#due >= 1 && !this.#stopped) {
      if (this.#next < lowest || this.#next > highest) this.#next = lowest;
      this.#due -= 1;
      if (!this.#holds(this.#next)) return;
      this.#next += 1;
      if (monotonicMs() - from >= budgetMs) return;
    }
  }

  #holds(height: number): boolean {
    const { ledger, damaged, monotonicMs } = this.#modules;
    try {
      ledger.checkStored(height);
      this.checked += 1;
      this.#suspect = undefined;
      return true;
    } catch (error) {
      if (codeOf(error) !== 'DATA_DAMAGED') {
        // The store is being closed.
        this.#stopped = true;
        return false;
      }
      if (this.#suspect?.height === height) {
        this.#stopped = true;
        damaged('DATA_DAMAGED', error instanceof Error ? error.message : String(error));
      } else this.#suspect = { height, seenMs: monotonicMs() };
      return false;
    }
  }
}
