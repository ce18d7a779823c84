// P-256 as a node checks it: OpenSSL is the fast way to most answers, as libsodium is for Ed25519 (ed25519.ts). Its "valid" implies
// the rule's (verifyP256); its "invalid" decides only where a refusal is local policy. Measured: about a tenth of the time, and
// a block of a thousand of these signatures must not cost seconds.
import { createPublicKey, verify } from 'node:crypto';
import { fromHex } from '../codec/hex.ts';
import { concat } from '../codec/utf8.ts';
import { addSlowPath } from './ed25519.ts';
import { isLowS, P256_KEY_BYTES, P256_SIGNATURE_BYTES, verifyP256 } from './p256.ts';

/** SubjectPublicKeyInfo of P-256 (RFC 5480) up to its 33 bytes of compressed point. */
const spkiHead = fromHex('3039301306072a8648ce3d020106082a8648ce3d030107032200');

/** Admission: OpenSSL's answer alone. Never throws. */
export function verifyP256Fast(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  if (signature.length !== P256_SIGNATURE_BYTES || publicKey.length !== P256_KEY_BYTES || !isLowS(signature))
    return false;
  try {
    const key = createPublicKey({ key: Buffer.from(concat(spkiHead, publicKey)), format: 'der', type: 'spki' });
    return verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
  } catch {
    return false;
  }
}

/** The rule's answer: OpenSSL's "valid", else what the reference says; such questions are counted. Never throws. */
export function verifyP256Consensus(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  if (verifyP256Fast(message, signature, publicKey)) return true;
  addSlowPath(1);
  return verifyP256(message, signature, publicKey);
}
