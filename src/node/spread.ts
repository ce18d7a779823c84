import type { PreparedTx } from '../ledger/types.ts';
import type { Lane } from '../net/types.ts';
import type { Mempool } from './mempool.ts';

/**
 * Brings transactions to the other validators (4-node, "Life of a transaction"): at once when little happens, else in batches that keep a
 * distance which grows with the load: what a message costs both sides is that of ten transactions. Who leads next gets them together with
 * our vote, just before it proposes; to the others they come with that proposal, and what stands in one that we vote for is no more sent.
 * A batch is a frame and has no answer of its own; the peer tells now and then how many bytes it has looked at (batches.ts), and no
 * more than a window of them is on the way: that is the back-pressure. What stays pending is sent again: after 300 ms to the leader,
 * after a second to all (W5).
 */

export type SpreadModules = {
  /** Sends a batch; false when there is no lane to that peer. @returns its bytes as they travel */
  readonly send: (peer: string, envelopes: readonly Uint8Array[], lane: Lane) => number | false;
  /** Who is to propose next, if it is another one. */
  readonly nextLeader: () => string | undefined;
  readonly monotonicMs: () => number;
};

export const spreadLimits = {
  batchBytes: 64 * 1024,
  batchTransactionsMax: 1024,
  /** From one batch to the next to the same peer, unless a full one is waiting: that long under load, to who leads soon and to the others. */
  gatherLeaderMs: 4,
  gatherMs: 10,
  /** The same while proposals bring the others what is in them. A leader of whom nothing comes costs them that much of its timeout. */
  leanLeaderMs: 2,
  leanMs: 50,
  /** So long after a vote of ours: where no blocks come, nobody gets bodies with them. */
  leanForMs: 100,
  /** Only from that load on: below, a message more costs little, and everybody hears at once. */
  leanFrom: 12.5,
  /** Transactions of a block, at most: the next one may hold twice as much, and all of them have to fit into its proposal. */
  leanBlockBytes: 28 * 1024,
  /** Goes along with a vote, in the same write. */
  withVoteBytesMax: 16 * 1024,
  /** Load at which the distance is a whole one: transactions of the last tenth of a second. Below it is shorter in proportion. */
  gatherFully: 25,
  /** On their way to one peer and not told of: four full batches. */
  windowBytes: 256 * 1024,
  /** After one of these, or two, what was not told of counts as lost: else each batch that a lane drops would keep the window smaller. */
  windowMs: 3000,
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

/** What came longer ago counts for less. */
const loadMs = 100;
const blockBytesKept = 0.8;

const never = Number.NEGATIVE_INFINITY;

type Outbox = {
  readonly waiting: Map<string, Uint8Array>;
  bytes: number;
  /** Bytes on their way: sent since `turnedMs`, and in the window before it. */
  newer: number;
  older: number;
  turnedMs: number;
  sentMs: number;
  /** Since when something waits. */
  sinceMs: number;
  timer: NodeJS.Timeout | undefined;
};

export class Spread {
  readonly #modules: SpreadModules;
  readonly #outboxes = new Map<string, Outbox>();
  /** envelopeId → when it was last sent again, to whom, and how much longer the next wait is than the first. */
  readonly #again = new Map<string, { leaderMs: number; allMs: number; factor: number }>();
  #load = 0;
  #loadMs = 0;
  /** Of late blocks, the largest ones; and when the last one came. */
  #blockBytes = 0;
  #blockMs = never;
  /** Who leads after that one, and is about to propose. */
  #expected: string | undefined;
  #scheduled = false;
  #dropped = 0;
  #closed = false;

  constructor(modules: SpreadModules) {
    this.#modules = modules;
  }

  get dropped(): number {
    return this.#dropped;
  }

  /** The peer has looked at so many bytes more of what was sent. */
  taken(peer: string, bytes: number): void {
    const outbox = this.#outboxes.get(peer);
    if (outbox === undefined) return;
    const old = Math.min(outbox.older, bytes);
    outbox.older -= old;
    outbox.newer = Math.max(0, outbox.newer - (bytes - old));
    this.#flush(peer, outbox);
  }

  /** The lane to the peer broke: what was on its way is lost, or will be told of. */
  lost(peer: string): void {
    const outbox = this.#outboxes.get(peer);
    if (outbox === undefined) return;
    outbox.newer = 0;
    outbox.older = 0;
  }

  push(peers: readonly string[], envelopeId: string, envelope: Uint8Array): void {
    this.#count();
    for (const peer of peers) {
      let outbox = this.#outboxes.get(peer);
      if (outbox === undefined) {
        outbox = {
          waiting: new Map(),
          bytes: 0,
          newer: 0,
          older: 0,
          turnedMs: never,
          sentMs: never,
          sinceMs: never,
          timer: undefined,
        };
        this.#outboxes.set(peer, outbox);
      }
      if (outbox.waiting.has(envelopeId)) continue;
      if (outbox.waiting.size === 0) outbox.sinceMs = this.#loadMs;
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
   * This validator is about to vote for a block with these transactions, or has built it: they reach everybody with it. What waits for who
   * leads next goes now: the vote behind it is what that one waits for.
   */
  proposed(transactions: readonly Pick<PreparedTx, 'tx'>[], own: boolean): void {
    let bytes = 0;
    for (const { tx } of transactions) {
      const { envelopeId, envelope } = tx;
      bytes += envelope.length;
      for (const outbox of this.#outboxes.values()) {
        if (outbox.waiting.delete(envelopeId)) outbox.bytes -= envelope.length;
      }
    }
    this.#blockBytes = Math.max(bytes, this.#blockBytes * blockBytesKept);
    this.#blockMs = this.#modules.monotonicMs();
    this.#expected = this.#modules.nextLeader();
    const leader = this.#expected ?? '';
    const outbox = own || !this.#isLean(this.#blockMs) ? undefined : this.#outboxes.get(leader);
    if (outbox === undefined || outbox.waiting.size === 0 || outbox.bytes > spreadLimits.withVoteBytesMax) return;
    if (!isFull(outbox, this.#blockMs)) this.#send(leader, outbox, this.#blockMs, 'urgent');
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

  #count(): void {
    const now = this.#modules.monotonicMs();
    this.#load = this.#load * Math.exp((this.#loadMs - now) / loadMs) + 1;
    this.#loadMs = now;
  }

  /** There is load, blocks come, and small enough that each proposal holds what is in it. */
  #isLean(nowMs: number): boolean {
    const { leanForMs, leanFrom, leanBlockBytes } = spreadLimits;
    return this.#load >= leanFrom && nowMs - this.#blockMs < leanForMs && this.#blockBytes < leanBlockBytes;
  }

  /** When the next batch is due: so long after the one before, or while blocks bring bodies, after the first that waits came. */
  #dueMs(peer: string, outbox: Outbox, nowMs: number): number {
    const { gatherLeaderMs, gatherMs, gatherFully, leanLeaderMs, leanMs } = spreadLimits;
    const share = Math.min(1, this.#load / gatherFully);
    const leads = peer === this.#modules.nextLeader();
    // Between our vote and the next proposal who makes that one is told soon; else a vote for them to go with is still to come.
    if (this.#isLean(nowMs)) return outbox.sinceMs + share * (leads && peer === this.#expected ? leanLeaderMs : leanMs);
    return outbox.sentMs + share * (leads ? gatherLeaderMs : gatherMs);
  }

  #flush(peer: string, outbox: Outbox): void {
    while (!this.#closed && outbox.waiting.size > 0) {
      const nowMs = this.#modules.monotonicMs();
      if (isFull(outbox, nowMs)) return;
      const waitMs = outbox.bytes >= spreadLimits.batchBytes ? 0 : this.#dueMs(peer, outbox, nowMs) - nowMs;
      if (waitMs > 0) {
        outbox.timer ??= setTimeout(() => {
          outbox.timer = undefined;
          this.#flush(peer, outbox);
        }, waitMs);
        return;
      }
      this.#send(peer, outbox, nowMs, 'bulk');
    }
  }

  /** A batch that does not arrive is not lost: its transactions are in our mempool and go out again. */
  #send(peer: string, outbox: Outbox, nowMs: number, lane: Lane): void {
    const sent = this.#modules.send(peer, takeBatch(outbox), lane);
    outbox.sentMs = nowMs;
    if (sent !== false) outbox.newer += sent;
  }
}

function isFull(outbox: Outbox, nowMs: number): boolean {
  const { windowMs, windowBytes } = spreadLimits;
  const passedMs = nowMs - outbox.turnedMs;
  if (passedMs >= windowMs) {
    outbox.older = passedMs < 2 * windowMs ? outbox.newer : 0;
    outbox.newer = 0;
    outbox.turnedMs = nowMs;
  }
  return outbox.newer + outbox.older >= windowBytes;
}

function takeBatch(outbox: Outbox): Uint8Array[] {
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
  return batch;
}
