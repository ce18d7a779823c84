/**
 * What became of transactions: a client that got an id can always learn its fate. Remembers ids and expiries that were seen
 * here, bounded; wakes those who wait.
 */

/** `closed`: nobody will learn it here any more. */
export type Waiter = (outcome: 'finalized' | 'expired' | 'closed') => void;

const rememberedMax = 500_000;

export class Fates {
  /** txId → expires. Insertion order; the oldest go first when it is full. */
  readonly #expires = new Map<string, number>();
  readonly #waiters = new Map<string, Set<Waiter>>();

  saw(txId: string, expires: number): void {
    this.#expires.set(txId, expires);
    if (this.#expires.size <= rememberedMax) return;
    const oldest = this.#expires.keys().next();
    if (oldest.done !== true) this.#expires.delete(oldest.value);
  }

  /** Milliseconds UTC, if this node saw the transaction. */
  expiryOf(txId: string): number | undefined {
    return this.#expires.get(txId);
  }

  /** Calls `waiter` once. Returns what takes it back. */
  wait(txId: string, waiter: Waiter): () => void {
    let set = this.#waiters.get(txId);
    if (set === undefined) {
      set = new Set();
      this.#waiters.set(txId, set);
    }
    set.add(waiter);
    return () => {
      set.delete(waiter);
      if (set.size === 0 && this.#waiters.get(txId) === set) this.#waiters.delete(txId);
    };
  }

  finalized(txId: string): void {
    this.#expires.delete(txId);
    this.#tell(txId, 'finalized');
  }

  /** A finalized block's time is past their expiry and they are in no block: that is final. */
  passed(blockTime: number): void {
    for (const txId of this.#waiters.keys()) {
      const expires = this.#expires.get(txId);
      if (expires !== undefined && expires <= blockTime) this.#tell(txId, 'expired');
    }
    // Expiries come in roughly ascending: what lies far back is forgotten, its fate is `expired` or `unknown` either way.
    for (const [txId, expires] of this.#expires) {
      if (expires + keptMs > blockTime) break;
      this.#expires.delete(txId);
    }
  }

  /** The node stops: who waits is answered with what is known now. */
  close(): void {
    for (const txId of [...this.#waiters.keys()]) this.#tell(txId, 'closed');
  }

  #tell(txId: string, outcome: Parameters<Waiter>[0]): void {
    // Every transaction comes by here, and nobody waits for most of them.
    if (this.#waiters.size === 0) return;
    const waiters = this.#waiters.get(txId);
    if (waiters === undefined) return;
    this.#waiters.delete(txId);
    for (const waiter of waiters) waiter(outcome);
  }
}

/** How long after its expiry a transaction that never entered a block is still answered with `expired`. */
const keptMs = 10 * 60 * 1000;
