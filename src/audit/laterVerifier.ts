import { allHold } from '../crypto/verifyJobs.ts';
import { type VerifyJob, VerifyPool } from '../crypto/verifyPool.ts';
import type { SignatureVerifier } from '../ledger/types.ts';

/** Jobs of a batch, however many blocks they come from, and from how many bytes on no further one is added. */
const batchJobs = 256;
const batchBytes = 1024 * 1024;
/** Batches that wait or run for each thread, so that none is ever without one; what waits is held in memory. */
const batchesPerThread = 4;

/** Above everything that a LaterVerifier asks at once of a pool of so many threads: a message has at most 256 KiB. */
export function laterPool(threads: number): VerifyPool {
  const batches = threads * batchesPerThread + 2;
  return new VerifyPool({
    workers: threads,
    inlineMax: 0,
    jobsMax: batches * batchJobs,
    bytesMax: batches * 2 * batchBytes,
  });
}

export type LaterOptions<Failure> = {
  readonly pool: Pick<VerifyPool, 'verifyMany'>;
  /** Threads of the pool. */
  readonly threads: number;
  /** What is to be said if a signature of the block that is asked about now does not hold. Asked before the block is executed. */
  readonly failure: () => Failure;
};

/**
 * Says of the signatures of each block that they hold, before they were checked, so that the block is executed meanwhile; threads
 * check them in batches over block limits. Nothing may be believed before `settled` has answered: it says which block in the order
 * of asking is the first with a signature that does not hold.
 */
export class LaterVerifier<Failure> implements SignatureVerifier {
  readonly #failure: () => Failure;
  readonly #threads: number;
  readonly #pool: Pick<VerifyPool, 'verifyMany'>;
  /** The batch that is being gathered; `blocks`: the first job of each block in it. */
  #jobs: VerifyJob[] = [];
  #bytes = 0;
  #blocks: { readonly from: number; readonly failure: Failure }[] = [];
  /** Under way, in the order of asking. Each resolves to the failure of its first block that has one. */
  readonly #running: Promise<Failure | undefined>[] = [];
  #failed: { readonly failure: Failure } | undefined;

  constructor({ pool, threads, failure }: LaterOptions<Failure>) {
    this.#failure = failure;
    this.#threads = threads;
    this.#pool = pool;
  }

  /** Nobody asks an audit whether a transaction may come in. */
  async verifyMany(jobs: readonly VerifyJob[]): Promise<boolean[]> {
    return jobs.map((job) => allHold([job]));
  }

  /** True at once, or as soon as not too much waits; false once something asked before is known not to hold. */
  async verifyAll(jobs: readonly VerifyJob[]): Promise<boolean> {
    if (jobs.length === 0) return this.#failed === undefined;
    const failure = this.#failure();
    this.#blocks.push({ from: this.#jobs.length, failure });
    for (const job of jobs) {
      if (this.#jobs.length === batchJobs || this.#bytes >= batchBytes) {
        this.#send();
        this.#blocks.push({ from: 0, failure });
        while (this.#running.length > this.#threads * batchesPerThread) await this.#first();
      }
      this.#jobs.push(job);
      this.#bytes += job.message.length;
    }
    return this.#failed === undefined;
  }

  /** What is to be said of the first block with a signature that does not hold; undefined: all that were asked about hold. */
  async settled(): Promise<Failure | undefined> {
    this.#send();
    while (this.#running.length > 0) await this.#first();
    return this.#failed?.failure;
  }

  async #first(): Promise<void> {
    const failure = await this.#running.shift();
    if (failure !== undefined) this.#failed ??= { failure };
  }

  #send(): void {
    const [jobs, blocks] = [this.#jobs, this.#blocks];
    if (jobs.length === 0) return;
    this.#jobs = [];
    this.#bytes = 0;
    this.#blocks = [];
    this.#running.push(this.#check(jobs, blocks));
  }

  async #check(
    jobs: readonly VerifyJob[],
    blocks: readonly { readonly from: number; readonly failure: Failure }[],
  ): Promise<Failure | undefined> {
    const bad = await this.#firstBad(jobs);
    return bad === -1 ? undefined : blocks.findLast(({ from }) => from <= bad)?.failure;
  }

  async #firstBad(jobs: readonly VerifyJob[]): Promise<number> {
    let verdicts: readonly boolean[];
    try {
      verdicts = await this.#pool.verifyMany(jobs, 'consensus');
    } catch {
      // A thread died, or a message is larger than a thread takes. Neither says anything about a signature.
      return jobs.findIndex((job) => !allHold([job]));
    }
    return verdicts.indexOf(false);
  }
}
