import { decodeUtf8 } from '../codec/utf8.ts';
import type { CommittedBlock } from '../ledger/types.ts';
import type { BlockSummary, NodeEvent, Subscription, TxStatus } from './api.ts';

type Listener = (event: NodeEvent) => void;

/** Who wants to hear of finalized blocks and records. Leaves are parsed only when somebody listens for them. */
export class Subscribers {
  readonly #blocks = new Set<Listener>();
  readonly #records = new Set<{ readonly type?: string; readonly account?: string; readonly listener: Listener }>();
  /** Who waits for a checkpoint: as many as requests are answered at a time. */
  readonly #checkpoints = new Set<() => void>();
  readonly #txs = new Map<string, Set<Listener>>();

  add(subscription: Subscription, listener: Listener): () => void {
    switch (subscription.topic) {
      case 'blocks':
        this.#blocks.add(listener);
        return () => this.#blocks.delete(listener);
      case 'records': {
        const entry = { ...subscription.filter, listener };
        this.#records.add(entry);
        return () => this.#records.delete(entry);
      }
      case 'tx': {
        const listeners = this.#txs.get(subscription.id) ?? new Set<Listener>();
        this.#txs.set(subscription.id, listeners);
        listeners.add(listener);
        return () => {
          listeners.delete(listener);
          if (listeners.size === 0) this.#txs.delete(subscription.id);
        };
      }
    }
  }

  committed(block: CommittedBlock, summary: BlockSummary): void {
    for (const listener of this.#blocks) listener({ topic: 'blocks', block: summary });
    if (this.#records.size > 0) this.#tellRecords(block);
  }

  /** A checkpoint was published. */
  published(): void {
    const waiting = [...this.#checkpoints];
    this.#checkpoints.clear();
    for (const tell of waiting) tell();
  }

  /** Resolves with the next checkpoint, or when the time has passed. */
  nextPublished(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const tell = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#checkpoints.delete(tell);
        resolve();
      }, timeoutMs).unref();
      this.#checkpoints.add(tell);
    });
  }

  /** Whether anybody waits for this transaction: its status is made only then. */
  wants(txId: string): boolean {
    return this.#txs.size > 0 && this.#txs.has(txId);
  }

  transaction(status: TxStatus): void {
    for (const listener of this.#txs.get(status.id) ?? []) listener({ topic: 'tx', status });
  }

  /** Transactions and leaves both stand in log order: one walk over the two. */
  #tellRecords(block: CommittedBlock): void {
    const { transactions } = block;
    let at = 0;
    for (const { index, leaf, type } of block.records) {
      for (let tx = transactions[at]; tx !== undefined && index > tx.index + tx.records; tx = transactions[at]) at += 1;
      const owner = index >= (transactions[at]?.index ?? Number.POSITIVE_INFINITY) ? transactions[at] : undefined;
      let record: unknown;
      for (const wanted of this.#records) {
        if (wanted.type !== undefined && wanted.type !== type) continue;
        if (wanted.account !== undefined && wanted.account !== owner?.account) continue;
        record ??= JSON.parse(decodeUtf8(leaf));
        wanted.listener({ topic: 'records', height: block.header.height, index, record });
      }
    }
  }
}
