import { codeOf } from '../codec/error.ts';
import type { Ledger } from '../ledger/ledger.ts';

/**
 * Reads the stored blocks again, a few at a time, over and over: a disk that changes what nobody asks for is found before somebody
 * does, or before a restart needs it. Damage counts when it is seen twice, so that a slice of pruning between two reads is none.
 */
export type StoreWatchModules = {
  readonly ledger: Pick<Ledger, 'checkStored' | 'finalized' | 'floor'>;
  readonly damaged: (code: string, detail: string) => void;
  readonly monotonicMs: () => number;
};

/** Of each turn: little beside what a block takes. */
const budgetMs = 10;
const blocksMax = 64;
const againMs = 10_000;

export class StoreWatch {
  readonly #modules: StoreWatchModules;
  #next: number;
  #suspect: { readonly height: number; readonly seenMs: number } | undefined;
  #stopped = false;
  /** Blocks that held. */
  checked = 0;

  constructor(modules: StoreWatchModules, first = 0) {
    this.#modules = modules;
    this.#next = first;
  }

  stop(): void {
    this.#stopped = true;
  }

  tick(): void {
    if (this.#stopped) return;
    const { ledger, monotonicMs } = this.#modules;
    const from = monotonicMs();
    if (this.#suspect !== undefined && from - this.#suspect.seenMs < againMs) return;
    for (let i = 0; i < blocksMax && !this.#stopped; i += 1) {
      const lowest = ledger.floor.height;
      const highest = ledger.finalized.header.height;
      if (highest < lowest) return;
      if (this.#next < lowest || this.#next > highest) this.#next = lowest;
      if (!this.#holds(this.#next)) return;
      this.#next += 1;
      if (monotonicMs() - from >= budgetMs || this.#next > highest) return;
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
