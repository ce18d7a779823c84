import { WeftError } from '../codec/error.ts';
import type { Json } from '../codec/json.ts';
import { type VerifiedState, type VerifyStateOptions, verifyState } from './state.ts';

/** What somebody says about the ledger, in a form that a state proof decides. */
export type Claim =
  /** The key signs for the account now: it is not revoked, and the account is not suspended. */
  | { readonly kind: 'key'; readonly account: string; readonly keyid: string }
  /** The account is registered and not suspended. */
  | { readonly kind: 'account'; readonly account: string }
  /** The policy set of this version is the one in force. */
  | { readonly kind: 'policy'; readonly version: number }
  /** The model is authorised; with a digest: and its file is this one. */
  | { readonly kind: 'model'; readonly model: string; readonly sha256?: string };

/** A claim that holds, in words, with what decided it. */
export type VerifiedClaim = { readonly words: string; readonly state: VerifiedState };

/** State paths whose proof decides the claim. */
export function claimPaths(claim: Claim): string[] {
  switch (claim.kind) {
    case 'key':
      return [`identity/account/${claim.account}`, `identity/key/${claim.keyid}`];
    case 'account':
      return [`identity/account/${claim.account}`];
    case 'policy':
      return ['governance/policy/current'];
    case 'model':
      return [`models/model/${claim.model}`];
  }
}

/**
 * Decides a claim by a state proof of `claimPaths`, offline. Throws a WeftError and nothing else: those of `verifyState`,
 * STATUS_INCOMPLETE (the proof lacks a path), STATUS_STATE_INVALID, and what the ledger says against the claim: ACCOUNT_UNKNOWN,
 * ACCOUNT_SUSPENDED, KEY_UNKNOWN, KEY_REVOKED, KEY_OF_ANOTHER, POLICY_NOT_CURRENT, MODEL_UNKNOWN, MODEL_NOT_AUTHORISED, MODEL_OTHER_FILE.
 */
export function verifyClaim(proof: string | Uint8Array, claim: Claim, options: VerifyStateOptions): VerifiedClaim {
  const state = verifyState(proof, options);
  return { words: judge(claim, state), state };
}

function judge(claim: Claim, state: VerifiedState): string {
  switch (claim.kind) {
    case 'key':
      return judgeKey(claim, state);
    case 'account':
      judgeAccount(claim.account, state);
      return `The account ${claim.account} is registered and not suspended.`;
    case 'policy':
      return judgePolicy(claim.version, state);
    case 'model':
      return judgeModel(claim, state);
  }
}

function judgeKey(
  { account, keyid }: { readonly account: string; readonly keyid: string },
  state: VerifiedState,
): string {
  const path = `identity/key/${keyid}`;
  const key = at(state, path);
  if (key === null) throw new WeftError('KEY_UNKNOWN', `No key ${keyid} was ever registered on this chain.`);
  const owner = member(state, path, 'account');
  if (owner !== account)
    throw new WeftError('KEY_OF_ANOTHER', `The key ${keyid} is one of ${owner}, not of ${account}.`);
  if (member(state, path, 'status') !== 'active') {
    throw new WeftError(
      'KEY_REVOKED',
      `The key ${keyid} of ${account} is revoked: what it signs now counts for nothing.`,
    );
  }
  judgeAccount(account, state);
  return `The key ${keyid} of ${account} is not revoked, and ${account} is not suspended.`;
}

function judgeAccount(account: string, state: VerifiedState): void {
  const path = `identity/account/${account}`;
  if (at(state, path) === null) throw new WeftError('ACCOUNT_UNKNOWN', `There is no account ${account} on this chain.`);
  const status = member(state, path, 'status');
  if (status !== 'active') throw new WeftError('ACCOUNT_SUSPENDED', `The account ${account} is ${status}.`);
}

function judgePolicy(version: number, state: VerifiedState): string {
  const path = 'governance/policy/current';
  const current = member(state, path, 'version');
  if (current !== version) {
    throw new WeftError('POLICY_NOT_CURRENT', `The policy set in force is version ${current}, not ${version}.`);
  }
  const minValid = member(state, path, 'minValid');
  return `Policy set ${version} (${member(state, path, 'digest')}) is in force; grants made under ${minValid} or later count.`;
}

function judgeModel(
  { model, sha256 }: { readonly model: string; readonly sha256?: string },
  state: VerifiedState,
): string {
  const path = `models/model/${model}`;
  if (at(state, path) === null) throw new WeftError('MODEL_UNKNOWN', `No model ${model} is registered on this chain.`);
  const status = member(state, path, 'status');
  if (status !== 'authorised')
    throw new WeftError('MODEL_NOT_AUTHORISED', `The model ${model} is ${status}, not authorised.`);
  const file = member(state, path, 'sha256');
  if (sha256 !== undefined && file !== sha256) {
    throw new WeftError('MODEL_OTHER_FILE', `What is authorised as ${model} is the file ${file}: this is another one.`);
  }
  return `The model ${model} is authorised; its file has the SHA-256 ${file}.`;
}

function at(state: VerifiedState, path: string): Json {
  const value = state.values.get(path);
  if (value === undefined) throw new WeftError('STATUS_INCOMPLETE', `The proof says nothing about ${path}.`, { path });
  return value;
}

function member(state: VerifiedState, path: string, name: string): string | number {
  const value = at(state, path);
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, name)) {
    const found = (value as { readonly [name: string]: Json })[name];
    if (typeof found === 'string' || typeof found === 'number') return found;
  }
  throw new WeftError('STATUS_STATE_INVALID', `State at ${path} has no ${name} that this verifier can read.`, { path });
}
