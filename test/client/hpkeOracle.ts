/**
 * HPKE base mode written out from RFC 9180 over noble's primitives, for one suite: DHKEM(X25519, HKDF-SHA256) (0x0020),
 * HKDF-SHA256 (0x0001), ChaCha20Poly1305 (0x0003). Shares no code with the library that packets are sealed with.
 */
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { x25519 } from '@noble/curves/ed25519.js';
import { expand, extract } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';

const bytes = (...parts: readonly (string | Uint8Array | readonly number[])[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...(typeof part === 'string' ? new TextEncoder().encode(part) : part)]));
const u16 = (value: number) => [value >> 8, value & 255];

const kemSuite = bytes('KEM', u16(0x0020));
const suite = bytes('HPKE', u16(0x0020), u16(0x0001), u16(0x0003));

const labeledExtract = (id: Uint8Array, salt: Uint8Array, label: string, ikm: Uint8Array) =>
  extract(sha256, bytes('HPKE-v1', id, label, ikm), salt);
const labeledExpand = (id: Uint8Array, prk: Uint8Array, label: string, info: Uint8Array, length: number) =>
  expand(sha256, prk, bytes(u16(length), 'HPKE-v1', id, label, info), length);

/** RFC 9180 §7.1.3 DeriveKeyPair: the secret key. */
export function deriveSecretKey(ikm: Uint8Array): Uint8Array {
  const prk = labeledExtract(kemSuite, bytes(), 'dkp_prk', ikm);
  return labeledExpand(kemSuite, prk, 'sk', bytes(), 32);
}

/** First message of a context: enc and ciphertext. */
export function seal(
  ikmE: Uint8Array,
  targetKey: Uint8Array,
  info: Uint8Array,
  aad: Uint8Array,
  plain: Uint8Array,
): { enc: Uint8Array; ct: Uint8Array } {
  const secret = deriveSecretKey(ikmE);
  const enc = x25519.getPublicKey(secret);
  const none = bytes();
  const eae = labeledExtract(kemSuite, none, 'eae_prk', x25519.getSharedSecret(secret, targetKey));
  const shared = labeledExpand(kemSuite, eae, 'shared_secret', bytes(enc, targetKey), 32);
  const context = bytes(
    [0],
    labeledExtract(suite, none, 'psk_id_hash', none),
    labeledExtract(suite, none, 'info_hash', info),
  );
  const keys = labeledExtract(suite, shared, 'secret', none);
  const key = labeledExpand(suite, keys, 'key', context, 32);
  const nonce = labeledExpand(suite, keys, 'base_nonce', context, 12);
  return { enc, ct: chacha20poly1305(key, nonce, aad).encrypt(plain) };
}
