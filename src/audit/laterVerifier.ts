import { Worker } from 'node:worker_threads';
import { packedBytes, packJob } from '../crypto/verifyBatch.ts';
import { SLAB_BYTES } from '../crypto/verifyChannel.ts';
import { allHold } from '../crypto/verifyJobs.ts';
import type { VerifyJob } from '../crypto/verifyPool.ts';
import type { SignatureVerifier } from '../ledger/types.ts';
import { BatchRing, batchJobs } from './batchRing.ts';

/** Batches that wait or run for each of those who check, so that none is ever without one. */
const batchesEach = 4;

/** What a LaterVerifier needs of a thread: that it is told when there is none any more. */
export type BatchThread = { on(event: 'error' | 'exit', listener: () => void): unknown };

export type LaterOptions<Failure> = {
  /** Threads that check, besides the one that asks where nothing else is left for it to do. */
  readonly threads: number;
  /** What is to be said if a signature of the block that is asked about now does not hold. Asked before the block is executed. */
  readonly failure: () => Failure;
  /** Seam for tests. */
  readonly startThread?: (ring: BatchRing) => BatchThread;
};

type Batch<Failure> = {
  readonly number: number;
  /** `from`: the first job of each block in it. */
  readonly blocks: readonly { readonly from: number; readonly failure: Failure }[];
};

/**
 * Says of the signatures of each block that they hold, before they were checked, so that the block is executed meanwhile; threads
 * check them in batches over block limits. Nothing may be believed before `settled` has answered: it says which block in the order
 * of asking is the first with a signature that does not hold. Jobs are packed at once, so that nothing of a block is kept for them.
 */
export class LaterVerifier<Failure> implements SignatureVerifier {
  readonly #failure: () => Failure;
  readonly #ring: BatchRing;
  readonly #ended: readonly Promise<void>[];
  /** A thread is gone, and nobody knows what it had taken: from then on everything is checked here, and the ring is not believed. */
  #alone = false;
  /** The batch that is being packed. */
  #number = 0;
  #slab: Uint8Array;
  #jobs = 0;
  #bytes = 0;
  #blocks: { readonly from: number; readonly failure: Failure }[] = [];
  /** Handed over, their verdicts not read yet, in the order of asking. */
  readonly #waiting: Batch<Failure>[] = [];
  #failed: { readonly failure: Failure } | undefined;

  constructor({ threads, failure, startThread = startBatchThread }: LaterOptions<Failure>) {
    this.#failure = failure;
    this.#ring = new BatchRing((threads + 1) * batchesEach);
    this.#slab = this.#ring.slab(0);
    this.#ended = Array.from({ length: threads }, () => {
      const thread = startThread(this.#ring);
      // What it died of says nothing about a signature. An exit follows.
      thread.on('error', () => undefined);
      return new Promise((resolve) => {
        thread.on('exit', () => {
          this.#lost();
          resolve();
        });
      });
    });
  }

  /** Nobody asks an audit whether a transaction may come in. */
  async verifyMany(jobs: readonly VerifyJob[]): Promise<boolean[]> {
    return jobs.map((job) => allHold([job]));
  }

  /** True at once, or as soon as not too much waits; false once something asked before is known not to hold. */
  async verifyAll(jobs: readonly VerifyJob[]): Promise<boolean> {
    if (jobs.length === 0) return this.#failed === undefined;
    const failure = this.#failure();
    this.#blocks.push({ from: this.#jobs, failure });
    for (const job of jobs) {
      const bytes = packedBytes(job);
      // No transaction is as large. One that were would be checked here, in its place.
      if (bytes > SLAB_BYTES) {
        await this.#drain();
        if (this.#failed === undefined && !allHold([job])) this.#failed = { failure };
        this.#blocks.push({ from: 0, failure });
        continue;
      }
      if (this.#jobs === batchJobs || this.#bytes + bytes > SLAB_BYTES) {
        await this.#send();
        this.#blocks.push({ from: 0, failure });
      }
      this.#bytes = packJob(this.#slab, this.#bytes, job);
      this.#jobs += 1;
    }
    return this.#failed === undefined;
  }

  /** What is to be said of the first block with a signature that does not hold; undefined: all that were asked about hold. */
  async settled(): Promise<Failure | undefined> {
    await this.#drain();
    return this.#failed?.failure;
  }

  /** Ends the threads, each after the batch that it has taken. */
  async close(): Promise<void> {
    this.#ring.close();
    await Promise.all(this.#ended);
  }

  async #drain(): Promise<void> {
    await this.#send();
    while (this.#waiting.length > 0) await this.#first();
  }

  /** Hands the batch over, and goes on with the next as soon as there is a slab for it. */
  async #send(): Promise<void> {
    if (this.#jobs === 0) return;
    this.#ring.handOver(this.#number, this.#jobs, this.#bytes);
    this.#waiting.push({ number: this.#number, blocks: this.#blocks });
    this.#number += 1;
    this.#jobs = 0;
    this.#bytes = 0;
    this.#blocks = [];
    while (this.#waiting.length === this.#ring.slots) await this.#first();
    this.#slab = this.#ring.slab(this.#number);
  }

  /** Reads the verdict on the oldest batch that waits. Until it is there this thread checks, too: then no core is idle. */
  async #first(): Promise<void> {
    const [batch] = this.#waiting;
    if (batch === undefined) return;
    const bad = this.#alone ? this.#ring.firstBad(batch.number) : this.#ring.verdict(batch.number);
    if (bad === undefined) {
      if (!this.#ring.checkNext()) await this.#ring.wait(batch.number);
      return;
    }
    this.#waiting.shift();
    if (bad === -1 || this.#failed !== undefined) return;
    const block = batch.blocks.findLast(({ from }) => from <= bad);
    if (block !== undefined) this.#failed = { failure: block.failure };
  }

  #lost(): void {
    this.#alone = true;
    this.#ring.release();
  }
}

function startBatchThread({ slots, shared }: BatchRing): Worker {
  // This file's own extension: TypeScript in a clone, JavaScript in a published package.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new Worker(new URL(`./batchThread.${extension}`, import.meta.url), {
    execArgv: [],
    name: 'weft-verify',
    workerData: { slots, shared },
  });
}
