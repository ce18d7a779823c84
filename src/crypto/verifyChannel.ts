// The way of a batch to a thread and back: shared memory and two counters, on which either side sleeps. Measured, a message and its
// answer cost 60 µs of CPU (structured clone, a buffer each way, two event loops woken), this 35 µs; and nothing is allocated.
import type { BatchMode } from './verifyBatch.ts';

/** Jobs of one batch: at 50 µs a job 13 ms, the longest that something urgent waits behind it. */
export const BATCH_JOBS_MAX = 256;
/** Of one batch, packed: of usual size 256 jobs fit, of the largest seven. */
export const SLAB_BYTES = 256 * 1024;

const modes: readonly BatchMode[] = ['fast', 'consensus', 'all'];

/** Int32 words before verdicts and slab. The counters say how many batches were asked and answered; they wrap. */
const ASKED = 0;
const ANSWERED = 1;
const MODE = 2;
const COUNT = 3;
const BYTES = 4;
const SLOW_PATH = 5;
const WORDS = 6;
const VERDICTS_AT = 4 * WORDS;
const SLAB_AT = VERDICTS_AT + BATCH_JOBS_MAX;

/** Either end's views of one channel. One batch is under way at a time. */
export type VerifyChannel = {
  readonly shared: SharedArrayBuffer;
  /** Of the batch that was answered, in order: 1 = holds. After the first 0 of an `all` batch the rest was not looked at, and is 0. */
  readonly verdicts: Uint8Array;
  /** Where the asking side writes the next batch (packJob). */
  readonly slab: Uint8Array;
  readonly words: Int32Array;
};

export function openChannel(shared: SharedArrayBuffer = new SharedArrayBuffer(SLAB_AT + SLAB_BYTES)): VerifyChannel {
  return {
    shared,
    words: new Int32Array(shared, 0, WORDS),
    verdicts: new Uint8Array(shared, VERDICTS_AT, BATCH_JOBS_MAX),
    slab: new Uint8Array(shared, SLAB_AT, SLAB_BYTES),
  };
}

/** Hands over what stands in the slab. Resolves when the verdicts are there, or `release` was called: the caller knows which. */
export async function ask(channel: VerifyChannel, mode: BatchMode, count: number, bytes: number): Promise<void> {
  const { words } = channel;
  words[MODE] = modes.indexOf(mode);
  words[COUNT] = count;
  words[BYTES] = bytes;
  const before = Atomics.load(words, ANSWERED);
  const answer = Atomics.waitAsync(words, ANSWERED, before);
  Atomics.store(words, ASKED, (Atomics.load(words, ASKED) + 1) | 0);
  Atomics.notify(words, ASKED);
  if (answer.async) await answer.value;
}

/** Of the batch that was answered: signatures about which the reference was asked. */
export function slowPathOf({ words }: VerifyChannel): number {
  return words[SLOW_PATH] ?? 0;
}

/** Ends the waiting for a thread that is gone. */
export function release({ words }: VerifyChannel): void {
  Atomics.notify(words, ANSWERED);
}

/**
 * Whoever verifies a batch: `count` packed jobs in `packed` (unpackJobs), a verdict each into `verdicts`, which holds zeros.
 * @returns signatures about which the reference was asked
 */
export type BatchVerifier = (mode: BatchMode, count: number, packed: Uint8Array, verdicts: Uint8Array) => number;

/** The thread's side: answers batch after batch and never returns. Nothing else happens on this thread. */
export function serve(shared: SharedArrayBuffer, verify: BatchVerifier): never {
  const { words, verdicts, slab } = openChannel(shared);
  // Libraries are handed memory that is nobody else's: what they check must not be able to change under them.
  const packed = new Uint8Array(SLAB_BYTES);
  for (let done = 0; ; ) {
    Atomics.wait(words, ASKED, done);
    const asked = Atomics.load(words, ASKED);
    if (asked === done) continue;
    done = asked;
    const count = words[COUNT] ?? 0;
    const bytes = words[BYTES] ?? 0;
    packed.set(slab.subarray(0, bytes));
    verdicts.fill(0, 0, count);
    words[SLOW_PATH] = verify(modes[words[MODE] ?? 2] ?? 'all', count, packed, verdicts);
    Atomics.store(words, ANSWERED, asked);
    Atomics.notify(words, ANSWERED);
  }
}
