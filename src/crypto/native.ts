// The verifier in Rust of src/crypto/batch, if somebody built it (`npm run native`). It answers two questions: libsodium's, for
// one or many signatures and for every input alike, and whether all of many hold by ZIP 215. Nothing needs it.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { selfTest } from './nativeSelfTest.ts';
import type { VerifyJob } from './verify.ts';

/** Where the parts of jobs stand in one buffer: four numbers a job, of key, signature, message, and the message's length. */
export const PLACE_WORDS = 4;

export type NativeEd25519 = {
  /** The file that it is. */
  readonly file: string;
  /** Exactly `crypto_sign_verify_detached`. Lengths were checked. */
  verify(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean;
  /** The same for `count` jobs whose parts stand in `bytes` at `places`: writes 1 or 0 for each. False: a place lies outside. */
  verifyMany(bytes: Uint8Array, places: Uint32Array, count: number, verdicts: Uint8Array): boolean;
  /** Whether `count` jobs all hold by ZIP 215. "No" proves nothing: ask about each. */
  allHold(bytes: Uint8Array, places: Uint32Array, count: number): boolean;
};

/** A change of the C functions gets another number: what was built before is then refused. */
const abi = 1;

/** Where `npm run native` puts what it builds for this machine. */
export function nativeFile(): string {
  // This file's own extension: a clone, or the built package one folder deeper.
  const root = import.meta.url.endsWith('.ts') ? ['..', '..'] : ['..', '..', '..'];
  return join(import.meta.dirname, ...root, 'build', 'native', `weft-ed25519-${process.platform}-${process.arch}.so`);
}

/** The library, or why it is not used: not built, no koffi, of other sources, it fails its own test, or WEFT_NATIVE=0. */
export function loadNative(file: string = nativeFile()): NativeEd25519 | string {
  if (process.env['WEFT_NATIVE'] === '0') return 'WEFT_NATIVE=0';
  if (!existsSync(file)) return 'not built';
  try {
    const native = open(file);
    const wrong = typeof native === 'string' ? native : selfTest(native);
    return wrong ?? native;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function open(file: string): NativeEd25519 | string {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi').default;
  const library = koffi.load(file);
  const found = library.func('uint32_t weft_ed25519_abi()')() as number;
  if (found !== abi) return `it has interface ${found}, this version needs ${abi}: build it again`;
  const one = library.func(
    'uint32_t weft_ed25519_verify(const uint8_t *signature, const uint8_t *message, size_t length, const uint8_t *key)',
  );
  const many = library.func(
    'uint32_t weft_ed25519_verify_many(const uint8_t *base, size_t length, const uint32_t *places, uint32_t count, _Out_ uint8_t *verdicts)',
  );
  const all = library.func(
    'uint32_t weft_ed25519_all_hold(const uint8_t *base, size_t length, const uint32_t *places, uint32_t count)',
  );
  const fits = (places: Uint32Array, count: number): boolean => places.length >= count * PLACE_WORDS;
  return {
    file,
    verify: (message, signature, publicKey) => one(signature, message, message.length, publicKey) === 1,
    verifyMany: (bytes, places, count, verdicts) =>
      fits(places, count) && verdicts.length >= count && many(bytes, bytes.length, places, count, verdicts) === count,
    allHold: (bytes, places, count) => fits(places, count) && all(bytes, bytes.length, places, count) === 1,
  };
}

/** Jobs as the library reads them. Lengths of keys and signatures were checked. */
export function placeJobs(jobs: readonly VerifyJob[]): { readonly bytes: Uint8Array; readonly places: Uint32Array } {
  const bytes = new Uint8Array(placedBytes(jobs));
  const places = new Uint32Array(jobs.length * PLACE_WORDS);
  placeJobsInto(jobs, bytes, places);
  return { bytes, places };
}

/** Bytes that the parts of the jobs take. */
export function placedBytes(jobs: readonly VerifyJob[]): number {
  let length = 0;
  for (const { publicKey, signature, message } of jobs) length += publicKey.length + signature.length + message.length;
  return length;
}

/** As `placeJobs`, into room for `placedBytes` and PLACE_WORDS a job. */
export function placeJobsInto(jobs: readonly VerifyJob[], bytes: Uint8Array, places: Uint32Array): void {
  let [at, word] = [0, 0];
  for (const { publicKey, signature, message } of jobs) {
    const signatureAt = at + publicKey.length;
    const messageAt = signatureAt + signature.length;
    bytes.set(publicKey, at);
    bytes.set(signature, signatureAt);
    bytes.set(message, messageAt);
    places[word++] = at;
    places[word++] = signatureAt;
    places[word++] = messageAt;
    places[word++] = message.length;
    at = messageAt + message.length;
  }
}
