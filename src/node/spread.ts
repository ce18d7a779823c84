import type { Mempool } from './mempool.ts';

/**
 * Brings transactions to the other validators (4-node, "Life of a transaction"): at once when nothing is on its way to that
 * peer, else when the batch before has arrived or 64 KiB are waiting. Batches to one peer keep a small distance: what a
 * message costs both sides is that of ten transactions, and under load it is the batch's size that should grow. A batch is a request, so the peer's answer is the
 * back-pressure. What stays pending is sent again: after 300 ms to the leader, after a second to all (W5).
 */

export type SpreadModules = {
  /** Sends a batch and resolves once the peer has taken it in; rejects when it could not be delivered. */
  readonly send: (peer: string, envelopes: readonly Uint8Array[]) => Promise<void>;
  readonly monotonicMs: () => number;
};

export const spreadLimits = {
  batchBytes: 64 * 1024,
  batchTransactionsMax: 1024,
  /** From one batch to the next to the same peer, unless a full one is waiting. */
  gatherMs: 12,
  /** Batches on their way to one peer. */
  inFlightMax: 4,
  /** Waiting for one peer; the oldest go first when it is full, and sending again repairs it. */
  waitingBytesMax: 8 * 1024 * 1024,
  leaderAgainMs: 300,
  allAgainMs: 1000,
  /** Who got a transaction from a peer leaves sending it again to that peer for so long; then the peer may be gone. */
  foreignAgainMs: 1500,
  /** Each time that one goes out to all again the next waits are twice as long, up to so many times the first. */
  againFactorMax: 16,
  /** Per round of sending again, so that an overloaded network is not loaded twice. */
  againBytesMax: 256 * 1024,
} as const;

const never = Number.NEGATIVE_INFINITY;

type Outbox = {
  readonly waiting: Map<string, Uint8Array>;
  bytes: number;
  inFlight: number;
  sentMs: number;
  timer: NodeJS.Timeout | undefined;
};

export class Spread {
  readonly #modules: SpreadModules;
  readonly #outboxes = new Map<string, Outbox>();
  /** envelopeId → when it was last sent again, to whom, and how much longer the next wait is than the first. */
  readonly #again = new Map<string, { leaderMs: number; allMs: number; factor: number }>();
  #scheduled = false;
  #dropped = 0;
  #closed = false;

  constructor(modules: SpreadModules) {
    this.#modules = modules;
  }

  get dropped(): number {
    return this.#dropped;
  }

  push(peers: readonly string[], envelopeId: string, envelope: Uint8Array): void {
    for (const peer of peers) {
      let outbox = this.#outboxes.get(peer);
      if (outbox === undefined) {
        outbox = { waiting: new Map(), bytes: 0, inFlight: 0, sentMs: Number.NEGATIVE_INFINITY, timer: undefined };
        this.#outboxes.set(peer, outbox);
      }
      if (outbox.waiting.has(envelopeId)) continue;
      outbox.waiting.set(envelopeId, envelope);
      outbox.bytes += envelope.length;
      while (outbox.bytes > spreadLimits.waitingBytesMax) {
        const oldest = outbox.waiting.entries().next();
        if (oldest.done === true) break;
        outbox.waiting.delete(oldest.value[0]);
        outbox.bytes -= oldest.value[1].length;
        this.#dropped += 1;
      }
    }
    this.#schedule();
  }

  /**
   * W5: what has been pending for long goes out again, ever more seldom: in a backlog transactions are late and not lost, and
   * then this must not be what keeps it from shrinking. `leader` is the current leader's name, or undefined when it is this node.
   */
  sendAgain(mempool: Mempool, leader: string | undefined, validators: readonly string[]): void {
    const { leaderAgainMs, allAgainMs, foreignAgainMs, againFactorMax, againBytesMax } = spreadLimits;
    const now = this.#modules.monotonicMs();
    let bytes = 0;
    for (const { prepared, arrivedMs, own } of mempool.entries()) {
      // Arrival order: the first young one ends the round.
      if (now - arrivedMs < leaderAgainMs || bytes > againBytesMax) break;
      const { envelopeId, envelope } = prepared.tx;
      const ageMs = now - arrivedMs - (own ? 0 : foreignAgainMs);
      if (ageMs < leaderAgainMs) continue;
      const last = this.#again.get(envelopeId) ?? { leaderMs: never, allMs: never, factor: 1 };
      if (ageMs >= allAgainMs && now - last.allMs >= allAgainMs * last.factor) {
        this.#again.set(envelopeId, { leaderMs: now, allMs: now, factor: Math.min(againFactorMax, 2 * last.factor) });
        this.push(validators, envelopeId, envelope);
      } else if (leader !== undefined && now - last.leaderMs >= leaderAgainMs * last.factor) {
        this.#again.set(envelopeId, { ...last, leaderMs: now });
        this.push([leader], envelopeId, envelope);
      } else continue;
      bytes += envelope.length;
    }
    for (const envelopeId of this.#again.keys()) if (!mempool.has(envelopeId)) this.#again.delete(envelopeId);
  }

  close(): void {
    this.#closed = true;
    for (const { timer } of this.#outboxes.values()) clearTimeout(timer);
    this.#outboxes.clear();
    this.#again.clear();
  }

  /** One turn of the event loop gathers what arrives together into one batch. */
  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      for (const [peer, outbox] of this.#outboxes) this.#flush(peer, outbox);
    });
  }

  #flush(peer: string, outbox: Outbox): void {
    while (!this.#closed && outbox.waiting.size > 0) {
      const full = outbox.bytes >= spreadLimits.batchBytes;
      if (outbox.inFlight >= (full ? spreadLimits.inFlightMax : 1)) return;
      const nowMs = this.#modules.monotonicMs();
      const waitMs = outbox.sentMs + spreadLimits.gatherMs - nowMs;
      if (!full && waitMs > 0) {
        outbox.timer ??= setTimeout(() => {
          outbox.timer = undefined;
          this.#flush(peer, outbox);
        }, waitMs);
        return;
      }
      outbox.sentMs = nowMs;
      const batch: Uint8Array[] = [];
      let bytes = 0;
      for (const [envelopeId, envelope] of outbox.waiting) {
        if (batch.length > 0 && bytes + envelope.length > spreadLimits.batchBytes) break;
        outbox.waiting.delete(envelopeId);
        outbox.bytes -= envelope.length;
        batch.push(envelope);
        bytes += envelope.length;
        if (batch.length === spreadLimits.batchTransactionsMax) break;
      }
      outbox.inFlight += 1;
      const done = (): void => {
        outbox.inFlight -= 1;
        this.#flush(peer, outbox);
      };
      // A batch that did not arrive is not lost: its transactions are in our mempool and go out again.
      this.#modules.send(peer, batch).then(done, done);
    }
  }
}
