// The way of an audit's batches to those who check them: a ring of slabs in shared memory. Whoever is free takes the next batch by
// itself, so that no thread waits until the one that executes has time for it. All ends are ours: the format has no versions.
import { SLAB_BYTES } from '../crypto/verifyChannel.ts';
import { verifyPacked } from '../crypto/verifyJobs.ts';

/** Jobs of a batch. */
export const batchJobs = 256;

/** Int32 words before the slabs. Batches are numbered from 0; the two counters say how many were handed over and taken. */
const handedOver = 0;
const taken = 1;
const headWords = 2;
/** In place of the first counter: nobody takes another one. */
const closed = -1;
/** And for each slab: jobs in it, their bytes, what the check found, 1 + number of the last batch that was checked. */
const jobsAt = 0;
const bytesAt = 1;
const badAt = 2;
const checkedAt = 3;
const slotWords = 4;

export class BatchRing {
  readonly shared: SharedArrayBuffer;
  readonly slots: number;
  readonly #words: Int32Array;
  readonly #slabsAt: number;
  /** Libraries are handed memory that is nobody else's: what they check must not be able to change under them. */
  readonly #packed = new Uint8Array(SLAB_BYTES);
  readonly #verdicts = new Uint8Array(batchJobs);

  /** @param shared of the end that made it, for the others */
  constructor(slots: number, shared?: SharedArrayBuffer) {
    const words = headWords + slots * slotWords;
    this.shared = shared ?? new SharedArrayBuffer(4 * words + slots * SLAB_BYTES);
    this.slots = slots;
    this.#words = new Int32Array(this.shared, 0, words);
    this.#slabsAt = 4 * words;
  }

  /** Where the jobs of this batch are packed (packJob). */
  slab(batch: number): Uint8Array {
    return new Uint8Array(this.shared, this.#slabsAt + (batch % this.slots) * SLAB_BYTES, SLAB_BYTES);
  }

  /** The next batch is packed. Nothing writes into its slab until its verdict was read. */
  handOver(batch: number, jobs: number, bytes: number): void {
    const at = this.#slot(batch);
    this.#words[at + jobsAt] = jobs;
    this.#words[at + bytesAt] = bytes;
    Atomics.store(this.#words, handedOver, batch + 1);
    Atomics.notify(this.#words, handedOver, 1);
  }

  /** Takes the next batch and checks it. False: there is none. */
  checkNext(): boolean {
    const words = this.#words;
    for (;;) {
      const next = Atomics.load(words, taken);
      if (next >= Atomics.load(words, handedOver)) return false;
      if (Atomics.compareExchange(words, taken, next, next + 1) !== next) continue;
      const at = this.#slot(next);
      words[at + badAt] = this.firstBad(next);
      Atomics.store(words, at + checkedAt, next + 1);
      Atomics.notify(words, at + checkedAt);
      return true;
    }
  }

  /** The thread's side: checks batch after batch, until the ring is closed. */
  serve(): void {
    while (!this.isClosed) {
      if (!this.checkNext()) Atomics.wait(this.#words, handedOver, Atomics.load(this.#words, taken));
    }
  }

  get isClosed(): boolean {
    return Atomics.load(this.#words, handedOver) === closed;
  }

  /** Threads end by themselves: one that is ended from outside while it still loads a library takes the process with it. */
  close(): void {
    Atomics.store(this.#words, handedOver, closed);
    Atomics.notify(this.#words, handedOver);
  }

  /** Which job of a batch is the first that does not hold by the consensus rule: checked here and now. -1: all hold. */
  firstBad(batch: number): number {
    const at = this.#slot(batch);
    const jobs = this.#words[at + jobsAt] ?? 0;
    const bytes = this.#words[at + bytesAt] ?? 0;
    this.#packed.set(this.slab(batch).subarray(0, bytes));
    this.#verdicts.fill(0);
    verifyPacked(this.#packed, jobs, 'consensus', true, this.#verdicts);
    return this.#verdicts.subarray(0, jobs).indexOf(0);
  }

  /** The same, found by whoever took it; undefined: not yet. */
  verdict(batch: number): number | undefined {
    const at = this.#slot(batch);
    return Atomics.load(this.#words, at + checkedAt) === batch + 1 ? this.#words[at + badAt] : undefined;
  }

  /** Until the verdict is there, or `release` was called. */
  async wait(batch: number): Promise<void> {
    const at = this.#slot(batch) + checkedAt;
    const before = Atomics.load(this.#words, at);
    if (before === batch + 1) return;
    const change = Atomics.waitAsync(this.#words, at, before);
    if (change.async) await change.value;
  }

  /** Ends the waiting for a thread that is gone. */
  release(): void {
    for (let slot = 0; slot < this.slots; slot += 1) Atomics.notify(this.#words, this.#slot(slot) + checkedAt);
  }

  #slot(batch: number): number {
    return headWords + (batch % this.slots) * slotWords;
  }
}
