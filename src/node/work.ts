import { type State, statusOf } from '../../consensus/engine.ts';
import type { Event } from '../../consensus/types.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { isTransient } from './builder.ts';
import type { Mempool } from './mempool.ts';

/**
 * W5: what the engine is told of the mempool. Work is a transaction that is valid against the certified tip, so what stands in
 * certified blocks that are not final yet is none.
 */
export type WorkModules = {
  readonly state: State;
  readonly ledger: Ledger;
  readonly mempool: Mempool;
  readonly handle: (event: Event) => void;
  readonly wallMs: () => number;
  /** W8: as many bytes waiting end the wait for `blockIntervalMs`. */
  readonly targetBlockBytes: number;
};

export class Work {
  readonly #modules: WorkModules;
  /** Pending transactions that stand in certified, unfinalized blocks: in the mempool, and no work any more. */
  #certifiedTxs = 0;
  #tipView = 0;
  #told = { pending: false, full: false };

  constructor(modules: WorkModules) {
    this.#modules = modules;
  }

  /** Call after anything that may change whether the mempool holds work. */
  changed(): void {
    const { mempool, targetBlockBytes } = this.#modules;
    const pending = mempool.size > this.#certifiedTxs;
    const full = pending && mempool.bytes >= targetBlockBytes;
    if (pending === this.#told.pending && full === this.#told.full) return;
    this.#told = { pending, full };
    this.#modules.handle({ type: 'work', pending, full });
  }

  /** The engine counts `work` as false from here on: the builder found nothing. */
  foundNothing(): void {
    this.#told = { pending: false, full: false };
  }

  /** After each turn of the engine. */
  followTip(): void {
    const { state } = this.#modules;
    if (state.certifiedView === this.#tipView) return;
    this.#tipView = state.certifiedView;
    this.recount();
    this.changed();
  }

  recount(): void {
    const { ledger, mempool, state } = this.#modules;
    const finalized = ledger.finalized.header.height;
    const ids = new Set<string>();
    let block = ledger.executed(statusOf(state).certifiedBlock?.id ?? '');
    while (block !== undefined && block.header.height > finalized) {
      for (const { tx } of block.transactions) if (mempool.hasTx(tx.txId)) ids.add(tx.txId);
      block = ledger.executed(block.header.parent);
    }
    this.#certifiedTxs = ids.size;
  }

  /** Keys or accounts changed: what can enter no block any more is no work, or an idle chain would wait for it. */
  dropInadmissible(): void {
    const { ledger, mempool, wallMs } = this.#modules;
    const time = Math.max(wallMs(), ledger.finalized.header.time + 1);
    for (const { prepared } of [...mempool.entries()]) {
      const code = ledger.admissible(prepared, time);
      if (code !== undefined && !isTransient(code)) mempool.remove(prepared.tx.envelopeId);
    }
  }
}
