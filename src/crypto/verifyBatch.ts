// What the event loop and a verifying thread share: one slab per thread, into which a batch is written and from which it is read.
// Both ends are ours, so the format has no versions: per job [alg, key length, message length, key, signature, message].
import { ALG_ED25519, publicKeyBytes, type SigningAlgorithm } from './keyId.ts';
import { PLACE_WORDS } from './native.ts';
import type { VerifyJob } from './verify.ts';

/** `all` asks one question about the whole batch, by the consensus rule, and ends at the first signature that does not hold. */
export type BatchMode = 'fast' | 'consensus' | 'all';

const SIGNATURE_BYTES = 64;
const JOB_HEAD_BYTES = 6;

/** A job whose key or signature has a wrong length holds under no rule: it is packed as one of no algorithm. */
export function isPackable(job: VerifyJob): boolean {
  return job.signature.length === SIGNATURE_BYTES && job.publicKey.length === publicKeyBytes[job.alg];
}

/** Bytes that a job takes in a slab, at most. */
export function packedBytes(job: VerifyJob): number {
  return JOB_HEAD_BYTES + job.publicKey.length + SIGNATURE_BYTES + job.message.length;
}

/** Writes one job at `at`, where there is room for `packedBytes`. @returns where the next one goes */
export function packJob(slab: Uint8Array, at: number, job: VerifyJob): number {
  const { alg, publicKey, signature, message } = job;
  const holdable = isPackable(job);
  const keyLength = holdable ? publicKey.length : 0;
  const messageLength = holdable ? message.length : 0;
  slab[at] = holdable ? alg : 0;
  slab[at + 1] = keyLength;
  slab[at + 2] = messageLength >>> 24;
  slab[at + 3] = messageLength >>> 16;
  slab[at + 4] = messageLength >>> 8;
  slab[at + 5] = messageLength;
  let next = at + JOB_HEAD_BYTES;
  if (!holdable) return next + SIGNATURE_BYTES;
  slab.set(publicKey, next);
  next += keyLength;
  slab.set(signature, next);
  next += SIGNATURE_BYTES;
  slab.set(message, next);
  return next + messageLength;
}

/** The `count` jobs of a slab, as views of it: good until the next batch is written. */
export function unpackJobs(slab: Uint8Array, count: number): VerifyJob[] {
  const jobs: VerifyJob[] = [];
  let at = 0;
  for (let left = count; left > 0; left -= 1) {
    const alg = (slab[at] ?? 0) as SigningAlgorithm;
    const key = at + JOB_HEAD_BYTES;
    const signature = key + (slab[at + 1] ?? 0);
    const message = signature + SIGNATURE_BYTES;
    at = message + messageLengthAt(slab, at);
    jobs.push({
      alg,
      publicKey: slab.subarray(key, signature),
      signature: slab.subarray(signature, message),
      message: slab.subarray(message, at),
    });
  }
  return jobs;
}

/** The places (native.ts) of the Ed25519 jobs among the `count` of a slab, and which of them these are. */
export function placePacked(slab: Uint8Array, count: number): { places: Uint32Array; which: number[] } {
  const places = new Uint32Array(count * PLACE_WORDS);
  const which: number[] = [];
  let at = 0;
  for (let i = 0; i < count; i += 1) {
    const key = at + JOB_HEAD_BYTES;
    const signature = key + (slab[at + 1] ?? 0);
    const message = signature + SIGNATURE_BYTES;
    const length = messageLengthAt(slab, at);
    // One of no algorithm has no key either: packJob let only keys of the right length in.
    if (slab[at] === ALG_ED25519) {
      const word = which.length * PLACE_WORDS;
      places[word] = key;
      places[word + 1] = signature;
      places[word + 2] = message;
      places[word + 3] = length;
      which.push(i);
    }
    at = message + length;
  }
  return { places, which };
}

function messageLengthAt(slab: Uint8Array, at: number): number {
  const high = (slab[at + 2] ?? 0) * 2 ** 24 + ((slab[at + 3] ?? 0) << 16);
  return high + ((slab[at + 4] ?? 0) << 8) + (slab[at + 5] ?? 0);
}
