import { sha256 } from '@noble/hashes/sha2.js';
import { WeftError } from '../codec/error.ts';
import { toHex } from '../codec/hex.ts';
import { concat } from '../codec/utf8.ts';

/** Numbers of algorithms, as they stand in key ids. X25519 is for HPKE only and never signs. Numbers are never reused. */
export const ALG_ED25519 = 1;
export const ALG_P256 = 2;
const ALG_X25519 = 3;

export type Algorithm = typeof ALG_ED25519 | typeof ALG_P256 | typeof ALG_X25519;
export type SigningAlgorithm = typeof ALG_ED25519 | typeof ALG_P256;
export type AlgorithmName = 'ed25519' | 'p256' | 'x25519';
/** What an account's key may be: a P-256 key that signs through WebAuthn is none that signs by itself. */
export type AccountAlgorithm = AlgorithmName | 'webauthn-p256';

/** Bytes of a public key; P-256 keys are compressed points. */
export const publicKeyBytes: Readonly<Record<Algorithm, number>> = { 1: 32, 2: 33, 3: 32 };

/** The number of the algorithm that JSON documents name. A key has one id whether it signs through WebAuthn or not. */
export function algorithmNumber(name: AccountAlgorithm): Algorithm {
  if (name === 'ed25519') return ALG_ED25519;
  return name === 'x25519' ? ALG_X25519 : ALG_P256;
}

function algorithmName(alg: Algorithm): AlgorithmName {
  return alg === ALG_ED25519 ? 'ed25519' : alg === ALG_P256 ? 'p256' : 'x25519';
}

/**
 * First 16 hex digits of SHA-256(algorithm byte ‖ public key). A name, not a commitment: 64 bits can be ground, so
 * nothing is trusted or cached by key id alone. Refusal: `KEY_INVALID` (length).
 */
export function keyId(alg: Algorithm, publicKey: Uint8Array): string {
  if (publicKey.length !== publicKeyBytes[alg]) {
    throw new WeftError(
      'KEY_INVALID',
      `A key of ${publicKey.length} bytes; ${algorithmName(alg)} keys have ${publicKeyBytes[alg]}.`,
    );
  }
  return toHex(sha256(concat(Uint8Array.of(alg), publicKey))).slice(0, 16);
}
