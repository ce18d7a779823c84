/**
 * Peers whose snapshots did not hold, or were too slow, remembered over attempts: a liar is passed over for longer each time,
 * so that it does not take its turn before honest peers again and again. It is asked again one day: a disk may have been at fault.
 */
type Record = { times: number; notBeforeMs: number; slow: number };

const pauseMs = { first: 60_000, longest: 3_600_000 } as const;
/** Peers are those that the ledger lists; whoever was refused longest ago is forgotten. */
const peersMax = 256;
const slowMax = 6;

export class SnapshotRefusals {
  readonly #records = new Map<string, Record>();

  /** It sent what is no snapshot of this chain. */
  refuse(peer: string, nowMs: number): void {
    const record = this.#recordOf(peer);
    record.times += 1;
    record.notBeforeMs = nowMs + Math.min(pauseMs.longest, pauseMs.first * 2 ** Math.min(16, record.times - 1));
  }

  /** What it offers did not come in time: others go first, and it has twice the time the next time. */
  slow(peer: string): void {
    const record = this.#recordOf(peer);
    record.slow = Math.min(slowMax, record.slow + 1);
  }

  isRefused(peer: string, nowMs: number): boolean {
    return (this.#records.get(peer)?.notBeforeMs ?? Number.NEGATIVE_INFINITY) > nowMs;
  }

  /** Times that it was too slow, at most 6. */
  slowness(peer: string): number {
    return this.#records.get(peer)?.slow ?? 0;
  }

  #recordOf(peer: string): Record {
    const record = this.#records.get(peer) ?? { times: 0, notBeforeMs: Number.NEGATIVE_INFINITY, slow: 0 };
    this.#records.delete(peer);
    this.#records.set(peer, record);
    for (const oldest of this.#records.keys()) {
      if (this.#records.size <= peersMax) break;
      this.#records.delete(oldest);
    }
    return record;
  }
}
