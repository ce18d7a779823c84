// Signatures checked off the event loop. A batch goes to a thread at once when one is idle, else when one becomes idle:
// so batches grow with the load, and an idle node waits for nothing. What decides about blocks goes before admission.
import { Worker } from 'node:worker_threads';
import { WeftError } from '../codec/error.ts';
import { addSlowPath, verifyFast } from './ed25519.ts';
import { ALG_ED25519 } from './keyId.ts';
import type { VerifyJob, VerifyRule } from './verify.ts';
import { type BatchAnswer, type BatchMode, isPackable, packBatch } from './verifyBatch.ts';

export type { VerifyJob, VerifyRule } from './verify.ts';

export type VerifyPoolOptions = {
  /** Threads, each started at its first batch. Default 1: the consensus loop needs the other core. */
  readonly workers?: number;
  /** Jobs that wait or run, over all calls; more are refused. Default 16,384 (four full blocks). */
  readonly jobsMax?: number;
  /** Bytes of messages that wait or run. Default 32 MiB. */
  readonly bytesMax?: number;
  /**
   * Calls of at most so many jobs are answered on the event loop while the pool is idle, if libsodium alone can answer.
   * Default 1: measured, handing a batch over costs the event loop 30-40 µs, one signature 50 µs, and the way back 90 µs more.
   */
  readonly inlineMax?: number;
};

/** Of one message to a thread: at 50 µs a job 13 ms, the longest that something urgent waits behind it. */
const BATCH_JOBS_MAX = 256;

type Call = {
  readonly jobs: number;
  readonly bytes: number;
  readonly verdicts: boolean[];
  chunksLeft: number;
  settled: boolean;
  readonly resolve: (verdicts: boolean[]) => void;
  readonly reject: (error: WeftError) => void;
};

/** Part of a call; `indices` say where its verdicts belong. */
type Chunk = { readonly call: Call; readonly mode: BatchMode; readonly jobs: VerifyJob[]; readonly indices: number[] };

type Thread = { readonly worker: Worker; running: readonly Chunk[] };

export class VerifyPool {
  readonly #workersMax: number;
  readonly #jobsMax: number;
  readonly #bytesMax: number;
  readonly #inlineMax: number;
  readonly #startWorker: () => Worker;
  readonly #threads = new Set<Thread>();
  readonly #urgent: Chunk[] = [];
  readonly #admission: Chunk[] = [];
  #jobs = 0;
  #bytes = 0;
  #closed = false;

  constructor(options: VerifyPoolOptions = {}, modules: { readonly startWorker?: () => Worker } = {}) {
    this.#startWorker = modules.startWorker ?? startVerifyWorker;
    this.#workersMax = options.workers ?? 1;
    this.#jobsMax = options.jobsMax ?? 16_384;
    this.#bytesMax = options.bytesMax ?? 32 * 1024 * 1024;
    this.#inlineMax = options.inlineMax ?? 1;
    if (this.#workersMax < 1 || this.#jobsMax < 1 || this.#bytesMax < 1 || this.#inlineMax < 0) {
      throw new WeftError('VERIFY_OPTIONS', 'A pool needs at least one worker, one job and one byte.');
    }
  }

  /** Jobs that wait or run. */
  get pending(): number {
    return this.#jobs;
  }

  /**
   * Whether each signature holds, in the order of `jobs`, whose bytes must not change until the answer.
   * Rejects with `VERIFY_QUEUE_FULL` (nothing of the call was checked: try later), `VERIFY_POOL_CLOSED`, `VERIFY_FAILED`
   * (a thread died; says nothing about any signature).
   */
  verifyMany(jobs: readonly VerifyJob[], rule: VerifyRule = 'fast'): Promise<boolean[]> {
    return this.#submit(jobs, rule);
  }

  /** Whether all hold, by the consensus rule; ends at the first that does not, so that a bad block costs little. Rejects as verifyMany. */
  async verifyAll(jobs: readonly VerifyJob[]): Promise<boolean> {
    if (!jobs.every(isPackable)) return false;
    return (await this.#submit(jobs, 'all')).every((holds) => holds);
  }

  /** Refuses what waits (`VERIFY_POOL_CLOSED`), lets what runs end, stops the threads. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const chunk of [...this.#urgent.splice(0), ...this.#admission.splice(0)]) this.#fail(chunk.call, closed());
    await Promise.all([...this.#threads].map((thread) => this.#stop(thread)));
  }

  #submit(jobs: readonly VerifyJob[], mode: BatchMode): Promise<boolean[]> {
    if (this.#closed) return Promise.reject(closed());
    if (jobs.length <= this.#inlineMax && this.#jobs === 0) {
      const verdicts = inline(jobs, mode);
      if (verdicts !== undefined) return Promise.resolve(verdicts);
    }
    let bytes = 0;
    for (const { message } of jobs) bytes += message.length;
    if (this.#jobs + jobs.length > this.#jobsMax || this.#bytes + bytes > this.#bytesMax) {
      return Promise.reject(
        new WeftError('VERIFY_QUEUE_FULL', `${this.#jobs} signatures wait already. Try again in a moment.`, {
          jobs: this.#jobs,
          jobsMax: this.#jobsMax,
        }),
      );
    }
    return new Promise((resolve, reject) => {
      const verdicts = new Array<boolean>(jobs.length).fill(false);
      const call: Call = { jobs: jobs.length, bytes, verdicts, chunksLeft: 0, settled: false, resolve, reject };
      const indices = [...jobs.keys()].filter((i) => isPackable(jobs[i] as VerifyJob));
      const queue = mode === 'fast' ? this.#admission : this.#urgent;
      for (let i = 0; i < indices.length; i += BATCH_JOBS_MAX) {
        const part = indices.slice(i, i + BATCH_JOBS_MAX);
        queue.push({ call, mode, jobs: part.map((index) => jobs[index] as VerifyJob), indices: part });
        call.chunksLeft += 1;
      }
      if (call.chunksLeft === 0) {
        resolve(verdicts);
        return;
      }
      this.#jobs += jobs.length;
      this.#bytes += bytes;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    while (this.#urgent.length + this.#admission.length > 0) {
      const thread = this.#idleThread();
      if (thread === undefined) return;
      const chunks = this.#nextBatch();
      const mode = chunks[0]?.mode;
      // Nothing but chunks of calls that were decided meanwhile; the other queue may still hold some.
      if (mode === undefined) continue;
      thread.running = chunks;
      thread.worker.ref();
      const packed = packBatch(
        mode,
        chunks.flatMap(({ jobs }) => jobs),
      );
      thread.worker.postMessage(packed, [packed.buffer]);
    }
  }

  /** The next chunks of one mode, at most one batch together. An `all` chunk goes alone: its verdict ends its batch. */
  #nextBatch(): Chunk[] {
    const queue = this.#urgent.length > 0 ? this.#urgent : this.#admission;
    const batch: Chunk[] = [];
    let jobs = 0;
    while (queue[0] !== undefined) {
      const chunk = queue[0];
      if (chunk.call.settled) {
        queue.shift();
        continue;
      }
      const first = batch[0];
      if (
        first !== undefined &&
        (first.mode === 'all' || chunk.mode !== first.mode || jobs + chunk.jobs.length > BATCH_JOBS_MAX)
      )
        break;
      queue.shift();
      batch.push(chunk);
      jobs += chunk.jobs.length;
    }
    return batch;
  }

  #idleThread(): Thread | undefined {
    for (const thread of this.#threads) if (thread.running.length === 0) return thread;
    if (this.#threads.size >= this.#workersMax) return undefined;
    const worker = this.#startWorker();
    const thread: Thread = { worker, running: [] };
    this.#threads.add(thread);
    worker.on('message', (answer: BatchAnswer) => this.#answered(thread, answer));
    worker.on('error', (error) => this.#died(thread, error instanceof Error ? error.message : String(error)));
    worker.on('exit', (code) => this.#died(thread, `exit code ${code}`));
    return thread;
  }

  #answered(thread: Thread, answer: BatchAnswer): void {
    const chunks = thread.running;
    thread.running = [];
    // An idle thread must not keep the process alive.
    thread.worker.unref();
    addSlowPath(answer.slowPath);
    let at = 0;
    for (const chunk of chunks) {
      for (const index of chunk.indices) chunk.call.verdicts[index] = answer.verdicts[at++] === 1;
      chunk.call.chunksLeft -= 1;
      const decided = chunk.mode === 'all' && answer.verdicts.includes(0);
      if (chunk.call.chunksLeft === 0 || decided) this.#settle(chunk.call);
    }
    this.#dispatch();
  }

  #settle(call: Call): void {
    if (this.#release(call)) call.resolve(call.verdicts);
  }

  #fail(call: Call, error: WeftError): void {
    if (this.#release(call)) call.reject(error);
  }

  /** Gives the call's place in the bounds back, once. */
  #release(call: Call): boolean {
    if (call.settled) return false;
    call.settled = true;
    this.#jobs -= call.jobs;
    this.#bytes -= call.bytes;
    return true;
  }

  /** The next batch starts a new thread: one that dies again and again costs its calls, never the process. */
  #died(thread: Thread, why: string): void {
    if (!this.#threads.delete(thread)) return;
    for (const { call } of thread.running) {
      this.#fail(call, new WeftError('VERIFY_FAILED', `The thread that checks signatures died: ${why}. Try again.`));
    }
    thread.running = [];
    if (!this.#closed) this.#dispatch();
  }

  async #stop(thread: Thread): Promise<void> {
    if (thread.running.length > 0) {
      await new Promise<void>((resolve) => {
        thread.worker.once('message', () => resolve());
        thread.worker.once('exit', () => resolve());
      });
    }
    this.#threads.delete(thread);
    await thread.worker.terminate();
  }
}

function startVerifyWorker(): Worker {
  // This file's own extension: TypeScript in a clone, JavaScript in a published package.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new Worker(new URL(`./verifyWorker.${extension}`, import.meta.url), { execArgv: [], name: 'weft-verify' });
}

/** Verdicts that libsodium alone can give; undefined where a slower answer is needed, which the event loop must not wait for. */
function inline(jobs: readonly VerifyJob[], mode: BatchMode): boolean[] | undefined {
  const verdicts: boolean[] = [];
  for (const { alg, message, signature, publicKey } of jobs) {
    if (alg !== ALG_ED25519) return undefined;
    const holds = verifyFast(message, signature, publicKey);
    if (!holds && mode !== 'fast') return undefined;
    verdicts.push(holds);
  }
  return verdicts;
}

function closed(): WeftError {
  return new WeftError('VERIFY_POOL_CLOSED', 'The node is stopping: signatures are no longer checked.');
}
