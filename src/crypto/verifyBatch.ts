// What the event loop and a verifying thread send each other: one buffer per batch, moved and not copied. Both ends are
// ours, so the format has no versions: [mode, count] then per job [alg, key length, message length, key, signature, message].
import { publicKeyBytes, type SigningAlgorithm } from './keyId.ts';
import type { VerifyJob } from './verify.ts';

/** `all` asks one question about the whole batch, by the consensus rule, and ends at the first signature that does not hold. */
export type BatchMode = 'fast' | 'consensus' | 'all';

/** Verdicts in order, 1 = holds; after the first 0 of an `all` batch the rest was not looked at. */
export type BatchAnswer = { readonly verdicts: Uint8Array; readonly slowPath: number };

const SIGNATURE_BYTES = 64;
const BATCH_HEAD_BYTES = 5;
const JOB_HEAD_BYTES = 6;
const modes: readonly BatchMode[] = ['fast', 'consensus', 'all'];

/** A job whose key or signature has a wrong length holds under no rule and is never packed. */
export function isPackable(job: VerifyJob): boolean {
  return job.signature.length === SIGNATURE_BYTES && job.publicKey.length === publicKeyBytes[job.alg];
}

export function packBatch(mode: BatchMode, jobs: readonly VerifyJob[]): Uint8Array<ArrayBuffer> {
  let length = BATCH_HEAD_BYTES;
  for (const job of jobs) length += JOB_HEAD_BYTES + job.publicKey.length + SIGNATURE_BYTES + job.message.length;
  const packed = new Uint8Array(length);
  const view = new DataView(packed.buffer);
  view.setUint8(0, modes.indexOf(mode));
  view.setUint32(1, jobs.length);
  let at = BATCH_HEAD_BYTES;
  for (const { alg, publicKey, signature, message } of jobs) {
    view.setUint8(at, alg);
    view.setUint8(at + 1, publicKey.length);
    view.setUint32(at + 2, message.length);
    at += JOB_HEAD_BYTES;
    for (const part of [publicKey, signature, message]) {
      packed.set(part, at);
      at += part.length;
    }
  }
  return packed;
}

/** The jobs as views of the buffer, which nobody else holds any more. */
export function unpackBatch(packed: Uint8Array): { mode: BatchMode; jobs: VerifyJob[] } {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const jobs: VerifyJob[] = [];
  let at = BATCH_HEAD_BYTES;
  const part = (length: number): Uint8Array => {
    at += length;
    return packed.subarray(at - length, at);
  };
  for (let left = view.getUint32(1); left > 0; left -= 1) {
    const alg = view.getUint8(at) as SigningAlgorithm;
    const keyLength = view.getUint8(at + 1);
    const messageLength = view.getUint32(at + 2);
    at += JOB_HEAD_BYTES;
    jobs.push({ alg, publicKey: part(keyLength), signature: part(SIGNATURE_BYTES), message: part(messageLength) });
  }
  return { mode: modes[view.getUint8(0)] ?? 'all', jobs };
}
