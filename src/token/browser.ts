// Package entry "weft/token" in browsers: noble for both, no `node:` module anywhere below.
import { sha256 } from '@noble/hashes/sha2.js';
import { verifyReference } from '../crypto/reference.ts';
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
} = bindVerifier(sha256, verifyReference);
