import { toHex } from '../codec/hex.ts';
import type { EnvelopeSignature, PlainAlgorithm } from './dsse.ts';
import { verifyConsensus, verifyFast } from './ed25519.ts';
import { ALG_ED25519, ALG_P256, type SigningAlgorithm } from './keyId.ts';
import { verifyP256Consensus, verifyP256Fast } from './p256Fast.ts';
import { assertedBytes, type RelyingParty } from './webauthn.ts';

/** A key that signs the bytes themselves. */
export type PlainKey = { readonly alg: PlainAlgorithm; readonly publicKey: Uint8Array };

/** A key that may sign envelopes; one in a security key says where it may be used. */
export type SigningKey = PlainKey | ({ readonly alg: 'webauthn-p256'; readonly publicKey: Uint8Array } & RelyingParty);

/**
 * `fast`: admission, the answer of libsodium or OpenSSL alone. `consensus`: the rule that decides about blocks and peers.
 */
export type VerifyRule = 'fast' | 'consensus';

export type VerifyJob = {
  readonly alg: SigningAlgorithm;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
  readonly publicKey: Uint8Array;
};

/** Whether the signature holds under the rule. Never throws: an algorithm that does not sign verifies nothing. */
export function verifySignature(job: VerifyJob, rule: VerifyRule): boolean {
  const { alg, message, signature, publicKey } = job;
  if (alg === ALG_P256) {
    return rule === 'fast'
      ? verifyP256Fast(message, signature, publicKey)
      : verifyP256Consensus(message, signature, publicKey);
  }
  if (alg !== ALG_ED25519) return false;
  return rule === 'fast' ? verifyFast(message, signature, publicKey) : verifyConsensus(message, signature, publicKey);
}

/**
 * The question whose answer is whether `entry` is a signature of `message` by `key`; undefined: it is none, whatever the curve
 * says. An assertion is read here, on the thread that asks, so that what is left for every path and every thread is one P-256
 * signature over bytes.
 */
export function signatureJob(entry: EnvelopeSignature, key: SigningKey, message: Uint8Array): VerifyJob | undefined {
  const { publicKey } = key;
  if (entry.alg === 'webauthn-p256') {
    const asserted = key.alg === 'webauthn-p256' ? assertedBytes(entry, message, key) : undefined;
    return asserted && { alg: ALG_P256, message: asserted, signature: entry.sig, publicKey };
  }
  if (key.alg !== entry.alg) return undefined;
  return { alg: key.alg === 'ed25519' ? ALG_ED25519 : ALG_P256, message, signature: entry.sig, publicKey };
}

/** Everything that decides whether a signature holds: one name, one key at one relying party. What verified is remembered by it. */
export function signingKeyName(key: SigningKey): string {
  const name = `${key.alg}:${toHex(key.publicKey)}`;
  return key.alg === 'webauthn-p256' ? `${name}:${key.rpId}:${key.origin}` : name;
}
