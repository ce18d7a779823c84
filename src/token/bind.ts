import type { Verify } from '../log/checkpoint.ts';
import type { Hash } from '../log/hasher.ts';
import { parseTrust, type Trust } from './trust.ts';
import { type TokenChecks, type VerifiedToken, verifyToken } from './verify.ts';

/** The verifier as a program uses it, for one hash and one signature check. */
export type TokenVerifier = {
  /** See `verifyToken` in verify.ts. `trust`: what `readTrust` gave, or the trust file's text. */
  verifyToken(token: string | Uint8Array, options: TokenChecks & { readonly trust: Trust | string }): VerifiedToken;
  /** Throws TRUST_INVALID. */
  readTrust(text: string): Trust;
};

export function bindVerifier(hash: Hash, verify: Verify): TokenVerifier {
  const readTrust = (text: string): Trust => parseTrust(hash, text);
  return {
    readTrust,
    verifyToken(token, options) {
      const trust = typeof options.trust === 'string' ? readTrust(options.trust) : options.trust;
      return verifyToken(token, { ...options, trust, hash, verify });
    },
  };
}
