// Package entry "weft/token" in Node: native hash, libsodium first and noble where it refuses (2-formats, Signature rule).
import { verifyConsensus } from '../crypto/ed25519.ts';
import { sha256 } from '../crypto/hash.ts';
import { bindVerifier } from './bind.ts';

export * from './exports.ts';

export const {
  verifyToken,
  checkStatus,
  verifyConsumed,
  verifyState,
  verifyClaim,
  walkTrust,
  readTrust,
  effectDigest,
} = bindVerifier(sha256, verifyConsensus);
