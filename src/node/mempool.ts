import { WeftError } from '../codec/error.ts';
import type { PreparedTx } from '../ledger/types.ts';

/**
 * Transactions that are admitted and not yet finalized. Bounded in count, bytes and per account; fair: the builder takes
 * one transaction of each account in turn, so that a flood from one account delays only that account.
 */

export type MempoolOptions = {
  readonly transactionsMax: number;
  readonly bytesMax: number;
  readonly transactionsPerAccountMax: number;
};

const defaultMempoolOptions: MempoolOptions = {
  transactionsMax: 50_000,
  bytesMax: 64 * 1024 * 1024,
  transactionsPerAccountMax: 20_000,
};

export type MempoolEntry = {
  readonly prepared: PreparedTx;
  /** Monotonic milliseconds at which it came in here: what W5's re-sending counts from. */
  readonly arrivedMs: number;
  /** Came from a client of this node, which therefore sends it to the other validators. */
  readonly own: boolean;
};

export class Mempool {
  readonly #options: MempoolOptions;
  /** By envelopeId. Insertion order is arrival order. */
  readonly #entries = new Map<string, MempoolEntry>();
  /** By txId: one envelope of a transaction is enough, whatever signatures others put around the same body. */
  readonly #byTx = new Map<string, MempoolEntry>();
  /** Account → its entries in arrival order. The map's own order is the turn order. */
  readonly #accounts = new Map<string, Set<MempoolEntry>>();
  #bytes = 0;
  /** Nothing here expires before that: each block asks, and a backlog is long. */
  #earliest = Number.POSITIVE_INFINITY;

  constructor(options: MempoolOptions = defaultMempoolOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Accounts of which something is pending. */
  get accounts(): number {
    return this.#accounts.size;
  }

  /** Pending transactions of one account. */
  pendingOf(account: string): number {
    return this.#accounts.get(account)?.size ?? 0;
  }

  has(envelopeId: string): boolean {
    return this.#entries.has(envelopeId);
  }

  hasTx(txId: string): boolean {
    return this.#byTx.has(txId);
  }

  get(envelopeId: string): MempoolEntry | undefined {
    return this.#entries.get(envelopeId);
  }

  /**
   * Adds a verified transaction. Returns false when it is there already.
   * @throws WeftError MEMPOOL_FULL, MEMPOOL_ACCOUNT_FULL (`details.retryAfterMs` says when to try again)
   */
  add(prepared: PreparedTx, arrivedMs: number, own: boolean): boolean {
    const { envelopeId, txId, account, envelope, expires } = prepared.tx;
    if (this.#byTx.has(txId)) return false;
    let entries = this.#accounts.get(account);
    this.#checkRoom(account, entries?.size ?? 0, envelope.length);
    if (entries === undefined) {
      entries = new Set();
      this.#accounts.set(account, entries);
    }
    const entry: MempoolEntry = { prepared, arrivedMs, own };
    entries.add(entry);
    this.#entries.set(envelopeId, entry);
    this.#byTx.set(txId, entry);
    this.#bytes += envelope.length;
    if (expires < this.#earliest) this.#earliest = expires;
    return true;
  }

  #checkRoom(account: string, pending: number, bytes: number): void {
    const { transactionsMax, bytesMax, transactionsPerAccountMax } = this.#options;
    if (this.#entries.size >= transactionsMax || this.#bytes + bytes > bytesMax) {
      throw new WeftError('MEMPOOL_FULL', 'this node holds as many pending transactions as it may; try again shortly', {
        retryAfterMs: 500,
      });
    }
    if (pending >= transactionsPerAccountMax) {
      throw new WeftError(
        'MEMPOOL_ACCOUNT_FULL',
        `account '${account}' has as many pending transactions here as one account may; wait until some are finalized`,
        { retryAfterMs: 500 },
      );
    }
  }

  remove(envelopeId: string): void {
    const entry = this.#entries.get(envelopeId);
    if (entry !== undefined) this.#remove(entry);
  }

  #remove(entry: MempoolEntry): void {
    const { envelopeId, txId, account, envelope } = entry.prepared.tx;
    this.#entries.delete(envelopeId);
    this.#byTx.delete(txId);
    this.#bytes -= envelope.length;
    const entries = this.#accounts.get(account);
    entries?.delete(entry);
    if (entries?.size === 0) this.#accounts.delete(account);
  }

  /** Removes whichever envelope carries this transaction: another one of the same id may have been finalized. */
  removeTx(txId: string): void {
    const entry = this.#byTx.get(txId);
    if (entry !== undefined) this.#remove(entry);
  }

  /** Drops what can no longer enter a block after `blockTime` (its expiry lies at or before it). Returns the txIds. */
  expire(blockTime: number): string[] {
    const gone: string[] = [];
    if (blockTime < this.#earliest) return gone;
    let earliest = Number.POSITIVE_INFINITY;
    for (const entry of this.#entries.values()) {
      const { txId, expires } = entry.prepared.tx;
      if (expires <= blockTime) {
        gone.push(txId);
        this.#remove(entry);
      } else if (expires < earliest) earliest = expires;
    }
    this.#earliest = earliest;
    return gone;
  }

  /** Every entry in turn order: the first of each account, then the second of each, and so on. */
  *inTurn(): Generator<MempoolEntry> {
    let turns = [...this.#accounts.values()].map((entries) => entries.values());
    while (turns.length > 0) {
      const next: typeof turns = [];
      for (const turn of turns) {
        const step = turn.next();
        if (step.done === true) continue;
        yield step.value;
        next.push(turn);
      }
      turns = next;
    }
  }

  entries(): IterableIterator<MempoolEntry> {
    return this.#entries.values();
  }

  /** The account whose turn came first goes last next time, so that a block that fills up early starts elsewhere. */
  rotateTurns(): void {
    const first = this.#accounts.entries().next();
    if (first.done === true) return;
    const [account, entries] = first.value;
    this.#accounts.delete(account);
    this.#accounts.set(account, entries);
  }
}
