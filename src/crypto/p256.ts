// ECDSA on P-256 with SHA-256, for account keys in security keys and HSMs. One spelling of each value: keys are 33-byte
// compressed points, signatures r ‖ s with s in the lower half (else anybody could turn a signature into a second one).
import { p256 } from '@noble/curves/nist.js';
import { WeftError } from '../codec/error.ts';

export const P256_KEY_BYTES = 33;
export const P256_SIGNATURE_BYTES = 64;
const P256_SECRET_BYTES = 32;

/** True for a valid low-S signature of SHA-256(message). Never throws. */
export function verifyP256(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  if (signature.length !== P256_SIGNATURE_BYTES || publicKey.length !== P256_KEY_BYTES) return false;
  try {
    return p256.verify(signature, message, publicKey, { prehash: true, lowS: true, format: 'compact' });
  } catch {
    return false;
  }
}

/** n/2, rounded down, in 32 bytes: s above it has a twin that verifies too. */
const HALF_ORDER = p256.Point.Fn.toBytes(p256.Point.Fn.ORDER >> 1n);

/** Whether s of r ‖ s (64 bytes) is in the lower half. */
export function isLowS(signature: Uint8Array): boolean {
  for (let at = 0; at < HALF_ORDER.length; at += 1) {
    const difference = (signature[32 + at] ?? 0) - (HALF_ORDER[at] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return true;
}

/** Deterministic (RFC 6979) low-S signature r ‖ s, 64 bytes. Refusal: `KEY_INVALID` (no secret key of P-256). */
export function signP256(message: Uint8Array, secretKey: Uint8Array): Uint8Array {
  checkSecret(secretKey);
  return p256.sign(message, secretKey, { prehash: true, lowS: true, format: 'compact' });
}

/**
 * r ‖ s, low-S, of a signature as authenticators and HSMs give it: DER, with either s. Refusal: `SIGNATURE_INVALID` (not strict DER
 * of two numbers below the order).
 */
export function p256SignatureOf(der: Uint8Array): Uint8Array {
  try {
    const { r, s } = p256.Signature.fromBytes(der, 'der');
    const { ORDER } = p256.Point.Fn;
    return new p256.Signature(r, s > ORDER / 2n ? ORDER - s : s).toBytes('compact');
  } catch {
    throw new WeftError('SIGNATURE_INVALID', `The ${der.length} bytes are no signature of P-256 in DER. Sign again.`);
  }
}

/** The 33-byte form of a public key that came uncompressed (65 bytes, 04 ‖ x ‖ y), as browsers export it. Refusal: `KEY_INVALID`. */
export function compressP256(uncompressed: Uint8Array): Uint8Array {
  if (uncompressed.length !== 65 || !p256.utils.isValidPublicKey(uncompressed, false)) {
    throw new WeftError('KEY_INVALID', 'Not an uncompressed point of P-256: 65 bytes, the first of them 04.');
  }
  return p256.Point.fromBytes(uncompressed).toBytes(true);
}

/** Compressed public key, 33 bytes. Refusal: `KEY_INVALID`. */
export function p256PublicKeyOf(secretKey: Uint8Array): Uint8Array {
  checkSecret(secretKey);
  return p256.getPublicKey(secretKey, true);
}

export function generateP256Secret(): Uint8Array {
  return p256.utils.randomSecretKey();
}

/** Refuses (`KEY_INVALID`) what is not the 33-byte compressed form of a point of the curve; P-256 has no other subgroup. */
export function checkP256PublicKey(publicKey: Uint8Array): void {
  if (publicKey.length !== P256_KEY_BYTES || !p256.utils.isValidPublicKey(publicKey, true)) {
    throw new WeftError(
      'KEY_INVALID',
      'The P-256 public key is not the 33-byte compressed form of a point of the curve.',
    );
  }
}

function checkSecret(secretKey: Uint8Array): void {
  if (secretKey.length !== P256_SECRET_BYTES || !p256.utils.isValidSecretKey(secretKey)) {
    throw new WeftError('KEY_INVALID', 'Not a secret key of P-256: 32 bytes, a number from 1 to the order less one.');
  }
}
