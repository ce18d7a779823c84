import type { Verify } from '../log/checkpoint.ts';
import type { Hash } from '../log/hasher.ts';
import { type Claim, type VerifiedClaim, verifyClaim } from './claims.ts';
import { type ConsumedChecks, type VerifiedConsumed, verifyConsumed } from './consumed.ts';
import { effectDigest } from './effect.ts';
import { type StateChecks, type VerifiedState, verifyState } from './state.ts';
import { checkStatus, type StatusChecks, type VerifiedStatus } from './status.ts';
import { parseTrust, type Trust } from './trust.ts';
import { type TokenChecks, type VerifiedToken, verifyToken } from './verify.ts';
import { type WalkedTrust, walkTrust } from './walk.ts';

/** What `readTrust` gave, or the trust file's text. */
type UnderTrust = { readonly trust: Trust | string };

/** The verifiers as a program uses them, for one hash and one signature check. */
export type TokenVerifier = {
  /** See verify.ts. */
  verifyToken(token: string | Uint8Array, options: TokenChecks & UnderTrust): VerifiedToken;
  /** See status.ts. */
  checkStatus(
    token: string | Uint8Array | VerifiedToken,
    status: string | Uint8Array,
    options: StatusChecks & UnderTrust,
  ): VerifiedStatus;
  /** See consumed.ts. */
  verifyConsumed(token: string | Uint8Array, options: ConsumedChecks & UnderTrust): VerifiedConsumed;
  /** See state.ts. */
  verifyState(status: string | Uint8Array, options: StateChecks & UnderTrust): VerifiedState;
  /** See claims.ts. */
  verifyClaim(proof: string | Uint8Array, claim: Claim, options: StateChecks & UnderTrust): VerifiedClaim;
  /** See walk.ts. */
  walkTrust(walk: string | Uint8Array, options: { readonly now: number } & UnderTrust): WalkedTrust;
  /** Throws TRUST_INVALID. */
  readTrust(text: string): Trust;
  /** SHA-256 (64 hex digits) of the RFC 8785 form of an effect's document: what `effect` is compared with. Throws JSON_INVALID. */
  effectDigest(document: object): string;
};

export function bindVerifier(hash: Hash, verify: Verify): TokenVerifier {
  const readTrust = (text: string): Trust => parseTrust(hash, text);
  const bound = <Options extends UnderTrust>(options: Options) => {
    const trust = typeof options.trust === 'string' ? readTrust(options.trust) : options.trust;
    return { ...options, trust, hash, verify };
  };
  return {
    readTrust,
    verifyToken: (token, options) => verifyToken(token, bound(options)),
    checkStatus: (token, status, options) => checkStatus(token, status, bound(options)),
    verifyConsumed: (token, options) => verifyConsumed(token, bound(options)),
    verifyClaim: (proof, claim, options) => verifyClaim(proof, claim, bound(options)),
    walkTrust: (walk, options) => walkTrust(walk, bound(options)),
    verifyState: (status, options) => verifyState(status, bound(options)),
    effectDigest: (document) => effectDigest(hash, document),
  };
}
