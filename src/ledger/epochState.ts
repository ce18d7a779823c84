import { readAgenda, readPending } from '../../contracts/governance/state.ts';
import type { StateReader } from '../../contracts/types.ts';
import { fromBase64Url } from '../codec/base64.ts';
import { WeftError } from '../codec/error.ts';
import { type ConsensusParameters, createEpoch, type Epoch, type Validator } from './validatorSet.ts';

/** A peer that follows and does not vote. `peer`: Ed25519, 32 bytes. */
export type Observer = { readonly name: string; readonly peer: Uint8Array };

const validatorsPath = 'governance/validators/current';
const consensusPath = 'governance/consensus/current';
/** All that `epochFromState` reads. */
export const epochPaths: ReadonlySet<string> = new Set([validatorsPath, consensusPath]);

/** As genesis and governance write them: keys in base64url. */
type ValidatorsValue = {
  readonly validators: readonly {
    readonly name: string;
    readonly peer: string;
    readonly vote: string;
    readonly log: string;
    readonly cosigner: string;
    readonly account: string;
    readonly url: string;
  }[];
  readonly observers: readonly { readonly name: string; readonly peer: string }[];
};
type ConsensusValue = { readonly ruleset: number; readonly parameters: ConsensusParameters };

/**
 * The epoch of the next block when the state is this: `before` itself, or with URLs that have moved, unless its digest would
 * change (W10).
 */
export function epochAfter(state: StateReader, before: Epoch, genesisHash: string): Epoch {
  const next = epochFromState(state, before.epoch + 1, genesisHash);
  if (next.digest !== before.digest) return next;
  const moved = next.validators.some(({ url }, i) => url !== before.validators[i]?.url);
  return moved ? { ...before, validators: next.validators } : before;
}

/** Ruleset, parameters and validators as state has them. */
export function epochFromState(state: StateReader, epoch: number, genesisHash: string): Epoch {
  const { validators } = read<ValidatorsValue>(state, validatorsPath);
  const { ruleset, parameters } = read<ConsensusValue>(state, consensusPath);
  return createEpoch(
    epoch,
    genesisHash,
    ruleset,
    parameters,
    validators.map(
      ({ name, peer, vote, log, cosigner, account, url }): Validator => ({
        name,
        peer: fromBase64Url(peer, 32),
        vote: fromBase64Url(vote, 32),
        log: fromBase64Url(log, 32),
        cosigner: fromBase64Url(cosigner, 32),
        account,
        url,
      }),
    ),
  );
}

/** Who else may connect. */
export function observersOf(state: StateReader): Observer[] {
  return read<ValidatorsValue>(state, validatorsPath).observers.map(({ name, peer }) => ({
    name,
    peer: fromBase64Url(peer, 32),
  }));
}

/** Peers named in validators proposals on the agenda that are in no list yet, each key once. */
export function candidatesOf(state: StateReader): Observer[] {
  const agenda = readAgenda(state);
  if (agenda.length === 0) return [];
  const { validators, observers } = read<ValidatorsValue>(state, validatorsPath);
  const listed = new Set([...validators, ...observers].map(({ peer }) => peer));
  const found: Observer[] = [];
  for (const id of agenda) {
    const change = readPending(state, id)?.change;
    if (change?.kind !== 'validators') continue;
    for (const { name, peer } of change.set) {
      if (listed.has(peer)) continue;
      listed.add(peer);
      found.push({ name, peer: fromBase64Url(peer, 32) });
    }
  }
  return found;
}

/** Do these changes touch what an epoch is made of? */
export function touchesEpoch(paths: { has(path: string): boolean }): boolean {
  return paths.has(validatorsPath) || paths.has(consensusPath);
}

function read<Value>(state: StateReader, path: string): Value {
  const value = state.get(path);
  // Genesis writes both and no contract deletes them.
  if (value === undefined) throw new WeftError('STATE_INVALID', `State has no ${path}: the data folder is damaged.`);
  return value as Value;
}
