// Package entry "weft/token" in Node: native hash, libsodium first and noble where it refuses (2-formats, Signature rule).
import { verifyConsensus } from '../crypto/ed25519.ts';
import { sha256 } from '../crypto/hash.ts';
import { bindVerifier } from './bind.ts';

export { WeftError } from '../codec/error.ts';
export { type Claim, claimPaths, type VerifiedClaim } from './claims.ts';
export type { ConsumedChecks, VerifiedConsumed } from './consumed.ts';
export type { Grant } from './grant.ts';
export type { PacketGroup } from './leaf.ts';
export type { StateChecks, VerifiedState } from './state.ts';
export { type StatusChecks, statusPaths, type VerifiedStatus } from './status.ts';
export type { Trust } from './trust.ts';
export type { TokenChecks, VerifiedToken } from './verify.ts';
export type { WalkedTrust } from './walk.ts';

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
