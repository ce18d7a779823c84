// Signatures checked off the event loop. A batch goes to a thread when one is idle, else when one becomes idle: so batches grow with
// the load, and an idle node waits for nothing. What decides about blocks goes before admission.
import { Worker } from 'node:worker_threads';
import { WeftError } from '../codec/error.ts';
import { addSlowPath, nativeEd25519 } from './ed25519.ts';
import { ALG_ED25519 } from './keyId.ts';
import type { VerifyJob, VerifyRule } from './verify.ts';
import { type BatchMode, isPackable, packedBytes, packJob } from './verifyBatch.ts';
import {
  ask,
  BATCH_JOBS_MAX,
  openChannel,
  release,
  SLAB_BYTES,
  slowPathOf,
  type VerifyChannel,
} from './verifyChannel.ts';
import { fewHold, shownTogether } from './verifyJobs.ts';

export type { VerifyJob, VerifyRule } from './verify.ts';

export type VerifyPoolOptions = {
  /** Threads, each started at its first batch. Default 1: the consensus loop needs the other core. */
  readonly workers?: number;
  /** Jobs that wait or run, over all calls; more are refused. Default 16,384 (four full blocks). */
  readonly jobsMax?: number;
  /** Bytes of messages that wait or run. Default 32 MiB. */
  readonly bytesMax?: number;
  /**
   * Calls of at most so many jobs are answered on the event loop while the pool is idle, if it needs no slower answer. Default 1 with
   * libsodium: handing a batch over and taking its verdicts back costs the event loop 25-30 µs, one signature 50 µs. With the native
   * verifier 16: one signature is 16-20 µs then, and handing over costs both threads 120-170 µs together and the answer up to two
   * milliseconds, which counts wherever cores are short (docs/performance.md). A block's are asked about together, 10 µs each: 32.
   */
  readonly inlineMax?: number;
};

/** From one batch of admission to the next, unless `fullJobs` wait: a hand-over costs both sides what a signature costs. */
const gatherMs = 2;
const fullJobs = 32;
const inlineMaxLibsodium = 1;
const inlineMaxNative = 16;
const inlineMaxBlock = 32;

type Call = {
  readonly jobs: readonly VerifyJob[];
  readonly bytes: number;
  readonly verdicts: boolean[];
  chunksLeft: number;
  settled: boolean;
  readonly resolve: (verdicts: boolean[]) => void;
  readonly reject: (error: WeftError) => void;
};

/** Jobs `from` to `to` of a call; `bytes`: packed. */
type Chunk = {
  readonly call: Call;
  readonly mode: BatchMode;
  readonly from: number;
  readonly to: number;
  readonly bytes: number;
};

/** `answered`: resolves when nothing runs on it any more. */
type Thread = {
  readonly worker: Worker;
  readonly channel: VerifyChannel;
  running: readonly Chunk[];
  answered: Promise<void>;
};

export class VerifyPool {
  readonly #workersMax: number;
  readonly #jobsMax: number;
  readonly #bytesMax: number;
  readonly #inlineMax: number | undefined;
  readonly #startWorker: (shared: SharedArrayBuffer) => Worker;
  readonly #threads = new Set<Thread>();
  readonly #urgent: Chunk[] = [];
  readonly #admission: Chunk[] = [];
  #jobs = 0;
  #bytes = 0;
  /** When admission last handed a batch over, and what will wake it next. */
  #handedMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #immediate = false;
  #closed = false;

  constructor(
    options: VerifyPoolOptions = {},
    modules: { readonly startWorker?: (shared: SharedArrayBuffer) => Worker } = {},
  ) {
    this.#startWorker = modules.startWorker ?? startVerifyWorker;
    this.#workersMax = options.workers ?? 1;
    this.#jobsMax = options.jobsMax ?? 16_384;
    this.#bytesMax = options.bytesMax ?? 32 * 1024 * 1024;
    this.#inlineMax = options.inlineMax;
    if (this.#workersMax < 1 || this.#jobsMax < 1 || this.#bytesMax < 1 || (this.#inlineMax ?? 0) < 0) {
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
   * (a thread died; says nothing about any signature), `VERIFY_TOO_LARGE` (a message above 256 KiB, which no caller has).
   */
  verifyMany(jobs: readonly VerifyJob[], rule: VerifyRule = 'fast'): Promise<boolean[]> {
    return this.#submit(jobs, rule);
  }

  /** The verdicts at once, where few are asked about and nothing waits; undefined: ask `verifyMany`. */
  verifyNow(jobs: readonly VerifyJob[], rule: VerifyRule = 'fast'): boolean[] | undefined {
    return this.#now(jobs, rule);
  }

  /** Whether all hold, by the consensus rule; ends at the first that does not, so that a bad block costs little. Rejects as verifyMany. */
  async verifyAll(jobs: readonly VerifyJob[]): Promise<boolean> {
    if (!jobs.every(isPackable)) return false;
    return (await this.#submit(jobs, 'all')).every((holds) => holds);
  }

  /** Refuses what waits (`VERIFY_POOL_CLOSED`), lets what runs end, stops the threads. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const chunk of [...this.#urgent.splice(0), ...this.#admission.splice(0)]) this.#fail(chunk.call, closed());
    await Promise.all([...this.#threads].map((thread) => this.#stop(thread)));
  }

  #now(jobs: readonly VerifyJob[], mode: BatchMode): boolean[] | undefined {
    const inlineMax = this.#inlineMax ?? inlineMaxOf(mode);
    return jobs.length > inlineMax || this.#jobs > 0 || this.#closed ? undefined : inline(jobs, mode);
  }

  #submit(jobs: readonly VerifyJob[], mode: BatchMode): Promise<boolean[]> {
    if (this.#closed) return Promise.reject(closed());
    if (jobs.length === 0) return Promise.resolve([]);
    const now = this.#now(jobs, mode);
    if (now !== undefined) return Promise.resolve(now);
    let bytes = 0;
    for (const job of jobs) {
      if (packedBytes(job) > SLAB_BYTES)
        return Promise.reject(new WeftError('VERIFY_TOO_LARGE', 'A message of a signature is above 256 KiB.'));
      bytes += job.message.length;
    }
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
      const call: Call = { jobs, bytes, verdicts, chunksLeft: 0, settled: false, resolve, reject };
      this.#jobs += jobs.length;
      this.#bytes += bytes;
      this.#queue(call, mode);
      if (mode === 'fast') this.#schedule();
      else this.#dispatch();
    });
  }

  /** In pieces that fit into a batch. */
  #queue(call: Call, mode: BatchMode): void {
    const queue = mode === 'fast' ? this.#admission : this.#urgent;
    let from = 0;
    let bytes = 0;
    for (const [i, job] of call.jobs.entries()) {
      const own = packedBytes(job);
      if (i - from === BATCH_JOBS_MAX || bytes + own > SLAB_BYTES) {
        queue.push({ call, mode, from, to: i, bytes });
        call.chunksLeft += 1;
        from = i;
        bytes = 0;
      }
      bytes += own;
    }
    queue.push({ call, mode, from, to: call.jobs.length, bytes });
    call.chunksLeft += 1;
  }

  /** At the end of this turn of the event loop, or a little after the batch before: what comes until then goes along. */
  #schedule(): void {
    if (this.#closed || this.#admission.length === 0) return;
    if (this.#jobs >= fullJobs) {
      this.#dispatch();
      return;
    }
    const waitMs = this.#handedMs + gatherMs - performance.now();
    if (waitMs > 0) {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#dispatch();
      }, waitMs);
      return;
    }
    if (this.#immediate) return;
    this.#immediate = true;
    setImmediate(() => {
      this.#immediate = false;
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
      if (mode === 'fast') this.#handedMs = performance.now();
      this.#handOver(thread, chunks, mode);
    }
  }

  #handOver(thread: Thread, chunks: readonly Chunk[], mode: BatchMode): void {
    const { worker, channel } = thread;
    let count = 0;
    let bytes = 0;
    for (const { call, from, to } of chunks) {
      for (let i = from; i < to; i += 1) {
        const job = call.jobs[i];
        if (job === undefined) continue;
        bytes = packJob(channel.slab, bytes, job);
        count += 1;
      }
    }
    thread.running = chunks;
    worker.ref();
    thread.answered = ask(channel, mode, count, bytes).then(() => {
      if (this.#threads.has(thread)) this.#answered(thread);
    });
  }

  /** The next chunks of one mode, at most one batch together. An `all` chunk goes alone: its verdict ends its batch. */
  #nextBatch(): Chunk[] {
    const queue = this.#urgent.length > 0 ? this.#urgent : this.#admission;
    const batch: Chunk[] = [];
    let jobs = 0;
    let bytes = 0;
    let taken = 0;
    for (const chunk of queue) {
      if (!chunk.call.settled) {
        const first = batch[0];
        jobs += chunk.to - chunk.from;
        bytes += chunk.bytes;
        const fits = jobs <= BATCH_JOBS_MAX && bytes <= SLAB_BYTES;
        if (first !== undefined && (first.mode === 'all' || chunk.mode !== first.mode || !fits)) break;
        batch.push(chunk);
      }
      taken += 1;
    }
    queue.splice(0, taken);
    return batch;
  }

  #idleThread(): Thread | undefined {
    for (const thread of this.#threads) if (thread.running.length === 0) return thread;
    if (this.#threads.size >= this.#workersMax) return undefined;
    const channel = openChannel();
    const worker = this.#startWorker(channel.shared);
    const thread: Thread = { worker, channel, running: [], answered: Promise.resolve() };
    this.#threads.add(thread);
    worker.on('error', (error) => this.#died(thread, error instanceof Error ? error.message : String(error)));
    worker.on('exit', (code) => this.#died(thread, `exit code ${code}`));
    return thread;
  }

  #answered(thread: Thread): void {
    const { running: chunks, channel } = thread;
    const { verdicts } = channel;
    thread.running = [];
    // An idle thread must not keep the process alive.
    thread.worker.unref();
    addSlowPath(slowPathOf(channel));
    let at = 0;
    for (const { call, mode, from, to } of chunks) {
      let decided = false;
      for (let i = from; i < to; i += 1) {
        const holds = verdicts[at++] === 1;
        call.verdicts[i] = holds;
        if (!holds && mode === 'all') decided = true;
      }
      call.chunksLeft -= 1;
      if (call.chunksLeft === 0 || decided) this.#settle(call);
    }
    if (this.#urgent.length > 0) this.#dispatch();
    else this.#schedule();
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
    this.#jobs -= call.jobs.length;
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
    release(thread.channel);
    if (!this.#closed) this.#dispatch();
  }

  async #stop(thread: Thread): Promise<void> {
    await thread.answered;
    this.#threads.delete(thread);
    await thread.worker.terminate();
  }
}

function startVerifyWorker(shared: SharedArrayBuffer): Worker {
  // This file's own extension: TypeScript in a clone, JavaScript in a published package.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new Worker(new URL(`./verifyWorker.${extension}`, import.meta.url), {
    execArgv: [],
    name: 'weft-verify',
    workerData: shared,
  });
}

function inlineMaxOf(mode: BatchMode): number {
  if (nativeEd25519() === undefined) return inlineMaxLibsodium;
  return mode === 'all' ? inlineMaxBlock : inlineMaxNative;
}

/** Verdicts that libsodium alone can give; undefined where a slower answer is needed, which the event loop must not wait for. */
function inline(jobs: readonly VerifyJob[], mode: BatchMode): boolean[] | undefined {
  for (let i = 0; i < jobs.length; i += 1) if (jobs[i]?.alg !== ALG_ED25519) return undefined;
  if (mode === 'all' && shownTogether(jobs)) return jobs.map(() => true);
  if (jobs.length > inlineMaxNative) return undefined;
  const verdicts = fewHold(jobs);
  return mode !== 'fast' && verdicts.includes(false) ? undefined : verdicts;
}

function closed(): WeftError {
  return new WeftError('VERIFY_POOL_CLOSED', 'The node is stopping: signatures are no longer checked.');
}
