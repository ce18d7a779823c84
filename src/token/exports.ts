// What both package entries of "weft/token" give besides the bound functions. No `node:` module anywhere below.
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
