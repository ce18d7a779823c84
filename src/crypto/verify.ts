import { verifyConsensus, verifyFast } from './ed25519.ts';
import { ALG_ED25519, ALG_P256, type SigningAlgorithm } from './keyId.ts';
import { verifyP256 } from './p256.ts';

/**
 * `fast`: admission, libsodium's answer alone for Ed25519. `consensus`: the rule that decides about blocks and peers.
 * P-256 has one path, and so one answer.
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
  if (alg === ALG_P256) return verifyP256(message, signature, publicKey);
  if (alg !== ALG_ED25519) return false;
  return rule === 'fast' ? verifyFast(message, signature, publicKey) : verifyConsensus(message, signature, publicKey);
}
