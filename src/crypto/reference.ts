// The signature rule itself, in pure TypeScript without Node: what browsers use, what decides where consensus depends on
// the answer, and what the fast path is tested against.
import { ed25519 } from '@noble/curves/ed25519.js';
import { WeftError } from '../codec/error.ts';

export const ED25519_SIGNATURE_BYTES = 64;
export const ED25519_KEY_BYTES = 32;

/**
 * Ed25519 by ZIP 215: [8]S·B = [8]R + [8]k·A, S < L, any encoding of A and R that decompresses. Never throws: a key or
 * signature of a wrong length does not verify.
 */
export function verifyReference(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  if (signature.length !== ED25519_SIGNATURE_BYTES || publicKey.length !== ED25519_KEY_BYTES) return false;
  return ed25519.verify(signature, message, publicKey, { zip215: true });
}

/**
 * Refuses (`KEY_INVALID`) a public key that no honest signer has: not 32 bytes, not a canonical encoding of a point, of
 * small order (signatures without a secret), or with a torsion component (one signer under several keys). Asked when a
 * key is registered, about 1 ms; a signature check never asks.
 */
export function checkPublicKey(publicKey: Uint8Array): void {
  if (publicKey.length !== ED25519_KEY_BYTES)
    throw invalidKey(`${publicKey.length} bytes long, not ${ED25519_KEY_BYTES}`);
  let point: InstanceType<typeof ed25519.Point>;
  try {
    // Strict decoding. The checks below would refuse the same keys: every point with a second encoding has torsion.
    point = ed25519.Point.fromBytes(publicKey, false);
  } catch {
    throw invalidKey('no canonical encoding of a point');
  }
  if (point.isSmallOrder()) throw invalidKey('of small order');
  if (!point.isTorsionFree()) throw invalidKey('not in the prime-order subgroup');
}

function invalidKey(why: string): WeftError {
  return new WeftError('KEY_INVALID', `The Ed25519 public key is ${why}. Make a new key.`);
}
