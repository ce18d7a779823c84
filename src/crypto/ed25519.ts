// Ed25519 as a node uses it. One rule decides everywhere (ZIP 215, see reference.ts); libsodium is the fast way to most
// of its answers. Its "valid" implies the rule's "valid", as it is strictly narrower; its "invalid" decides only where a
// refusal is local policy. Where the library of native.ts was built, it answers for libsodium: the same, in a third of the time.
import { randomBytes } from 'node:crypto';
import { WeftError } from '../codec/error.ts';
import { loadNative, type NativeEd25519 } from './native.ts';
import { ED25519_KEY_BYTES, ED25519_SIGNATURE_BYTES, verifyReference } from './reference.ts';
import { sodium } from './sodium.ts';

export { checkPublicKey } from './reference.ts';

const ED25519_SEED_BYTES = 32;
const SECRET_KEY_BYTES = 64;

let slowPath = 0;
let native: NativeEd25519 | undefined;

/** Uses the native verifier in this thread from here on, if there is a good one. @returns it, or why libsodium stays. */
export function startNative(file?: string): NativeEd25519 | string {
  const loaded = native ?? loadNative(file);
  if (typeof loaded !== 'string') native = loaded;
  return loaded;
}

/** Back to libsodium in this thread: a seam for tests. */
export function stopNative(): void {
  native = undefined;
}

/** The native verifier of this thread, if it has one. */
export function nativeEd25519(): NativeEd25519 | undefined {
  return native;
}

/**
 * Admission: libsodium's answer alone, so that junk costs 50 µs and not 1.3 ms. Never the answer about a block, a vote
 * or a peer: it refuses signatures that the rule accepts. Never throws.
 */
export function verifyFast(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  if (signature.length !== ED25519_SIGNATURE_BYTES || publicKey.length !== ED25519_KEY_BYTES) return false;
  return native === undefined
    ? sodium.crypto_sign_verify_detached(signature, message, publicKey)
    : native.verify(message, signature, publicKey);
}

/** The rule's answer (ZIP 215): libsodium's "valid", else what the reference says; such questions are counted. Never throws. */
export function verifyConsensus(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  if (verifyFast(message, signature, publicKey)) return true;
  slowPath += 1;
  return verifyReference(message, signature, publicKey);
}

/** Signatures that libsodium or OpenSSL refused and the reference was asked about, since the process began. Honest traffic makes none. */
export function slowPathCount(): number {
  return slowPath;
}

/** Adds what a worker thread counted. */
export function addSlowPath(count: number): void {
  slowPath += count;
}

/** A secret that signs. The seed is expanded once: signing with it costs half of what `sign` costs. */
export type Ed25519Signer = {
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
};

/** Deterministic signatures (RFC 8032) of a 32-byte seed. Refusal: `KEY_INVALID` (length). */
export function ed25519Signer(seed: Uint8Array): Ed25519Signer {
  if (seed.length !== ED25519_SEED_BYTES) {
    throw new WeftError('KEY_INVALID', `An Ed25519 seed of ${seed.length} bytes; it has ${ED25519_SEED_BYTES}.`);
  }
  const publicKey = new Uint8Array(ED25519_KEY_BYTES);
  const secretKey = new Uint8Array(SECRET_KEY_BYTES);
  sodium.crypto_sign_seed_keypair(publicKey, secretKey, seed);
  return {
    publicKey,
    sign(message) {
      const signature = new Uint8Array(ED25519_SIGNATURE_BYTES);
      sodium.crypto_sign_detached(signature, message, secretKey);
      return signature;
    },
  };
}

/** One deterministic signature, 64 bytes (RFC 8032). Refusal: `KEY_INVALID` (seed is not 32 bytes). */
export function sign(message: Uint8Array, seed: Uint8Array): Uint8Array {
  return ed25519Signer(seed).sign(message);
}

/** The public key of a seed, 32 bytes. Refusal: `KEY_INVALID` (length). */
export function publicKeyOf(seed: Uint8Array): Uint8Array {
  return ed25519Signer(seed).publicKey;
}

/** 32 random bytes of the operating system. */
export function generateSeed(): Uint8Array {
  return new Uint8Array(randomBytes(ED25519_SEED_BYTES));
}
