// What a change would make of the values in force, and why it cannot: asked at the proposal, at the approval that decides, at
// each `ready` and at the effect, because what others changed meanwhile may stand against it.

import { fromBase64Url } from '../../src/codec/base64.ts';
import { ALG_ED25519, keyId } from '../../src/crypto/keyId.ts';
import { isSorted, type Refusal, refuse } from '../contract.ts';
import { keyPath } from '../identity/keys.ts';
import { LIMITS } from '../limits.ts';
import { readAccount } from '../signatures.ts';
import type { BlockContext, StateReader } from '../types.ts';
import { endsEpoch, epochRecordBytes, parametersInOrder } from './epochs.ts';
import { type NodeRole, type NodeSet, type SetFacts, wrongWithParameters, wrongWithSet } from './nodeSet.ts';
import { policyAfter } from './policySet.ts';
import { type Change, type Council, type Governed, isAble, nodeKeyPath, readGoverned } from './state.ts';

/** What state knows of a key of a validator or observer. A vote key that was retired signs no vote on this chain again (W11). */
export type NodeKey = {
  readonly name: string;
  readonly role: NodeRole;
  readonly status: 'active' | 'retired';
  /** Of the block that gave it this status. */
  readonly height: number;
};

export type Outcome = { readonly before: Governed; readonly after: Governed };

/**
 * The values after the change, or the code of what stands against it.
 * @param fresh the change is new: its keys are checked in full. Later they are known to be sound
 */
export function outcomeOf(
  state: StateReader,
  block: BlockContext,
  change: Change,
  options: { readonly fresh?: boolean } = {},
): Outcome | Refusal {
  const before = readGoverned(state);
  const after = changed(state, block, before, change, options.fresh === true);
  if ('refused' in after) return after;
  if (!differs(before, after)) return refuse('NOTHING_TO_DO');
  if (endsEpoch(before, after) && epochRecordBytes(block.chain, after) > LIMITS.leafBytesMax)
    return refuse('GOVERNANCE_TOO_LARGE');
  return { before, after };
}

function changed(
  state: StateReader,
  block: BlockContext,
  before: Governed,
  change: Change,
  fresh: boolean,
): Governed | Refusal {
  switch (change.kind) {
    case 'validators': {
      const validators = merged(before.validators, change.set, change.remove);
      if ('refused' in validators) return validators;
      const names = new Set(change.set.map(({ name }) => name));
      // An observer that becomes a validator is no observer any more.
      const observers = before.observers.filter(({ name }) => !names.has(name));
      return checked(state, block, { ...before, validators: validators.list, observers }, fresh);
    }
    case 'observers': {
      const observers = merged(before.observers, change.set, change.remove);
      if ('refused' in observers) return observers;
      return checked(state, block, { ...before, observers: observers.list }, fresh);
    }
    case 'parameters': {
      const wrong = wrongWithParameters(change.parameters);
      return wrong === undefined ? { ...before, parameters: change.parameters } : refuse(wrong.code);
    }
    case 'ruleset':
      // Whether a build has it cannot be asked here: builds differ. That is what `ready` is for.
      if (change.ruleset <= before.ruleset) return refuse('RULESET_NOT_ABOVE');
      return { ...before, ruleset: change.ruleset };
    case 'council': {
      const { threshold, members } = change;
      const wrong = wrongWithCouncil(state, { threshold, members });
      return wrong === undefined ? { ...before, council: { threshold, members } } : refuse(wrong);
    }
    case 'policy': {
      const policy = policyAfter(state, block, change, fresh);
      return 'refused' in policy ? policy : { ...before, policy };
    }
    case 'pause':
      return { ...before, paused: change.paused };
  }
}

function checked(state: StateReader, block: BlockContext, after: Governed, fresh: boolean): Governed | Refusal {
  const wrong = wrongWithSet(after, factsOf(state, block, fresh));
  return wrong === undefined ? after : refuse(wrong.code);
}

type Named = { readonly name: string };

function merged<Entry extends Named>(
  current: readonly Entry[],
  set: readonly Entry[],
  remove: readonly string[],
): { readonly list: readonly Entry[] } | Refusal {
  if (!isSorted(remove) || !isSorted(set.map(({ name }) => name))) return refuse('LIST_UNSORTED');
  const names = new Set(current.map(({ name }) => name));
  if (!remove.every((name) => names.has(name))) return refuse('NAME_UNKNOWN');
  const touched = new Set([...remove, ...set.map(({ name }) => name)]);
  if (touched.size !== remove.length + set.length) return refuse('NAME_TWICE');
  const list = [...current.filter(({ name }) => !touched.has(name)), ...set];
  return { list: list.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

function factsOf(state: StateReader, { chain }: BlockContext, fresh: boolean): SetFacts {
  const known = (publicKey: string): NodeKey | undefined =>
    state.get(nodeKeyPath(publicKey)) as unknown as NodeKey | undefined;
  return {
    origin: `${chain}/weft`,
    hasAccount: (name) => readAccount(state, name) !== undefined,
    isChecked: (publicKey) => !fresh || known(publicKey) !== undefined,
    objection(publicKey, role, name) {
      const key = known(publicKey);
      if (key !== undefined && (key.name !== name || key.role !== role))
        return { code: 'KEY_USED', why: `was the ${key.role} key of ${key.name}` };
      if (key !== undefined && role === 'vote' && key.status === 'retired')
        return { code: 'KEY_RETIRED', why: 'is retired: make a new one' };
      // Since it is a node's, no account can have taken it.
      if (key !== undefined) return undefined;
      const bytes = fromBase64Url(publicKey);
      const account = state.get(keyPath(keyId(ALG_ED25519, bytes))) as { readonly publicKey: string } | undefined;
      if (account?.publicKey === publicKey) return { code: 'KEY_USED', why: 'is the key of an account' };
      return undefined;
    },
  };
}

/** A council below its threshold could never repair itself: so many members must be able to decide from the start. */
function wrongWithCouncil(state: StateReader, { threshold, members }: Council): string | undefined {
  if (!isSorted(members)) return 'LIST_UNSORTED';
  if (threshold > members.length) return 'COUNCIL_THRESHOLD';
  if (!members.every((member) => readAccount(state, member) !== undefined)) return 'ACCOUNT_UNKNOWN';
  return members.filter((member) => isAble(state, member)).length < threshold ? 'COUNCIL_UNABLE' : undefined;
}

function differs(before: Governed, after: Governed): boolean {
  const text = ({ validators, observers, ruleset, parameters, council, policy, paused }: Governed): string =>
    JSON.stringify([
      validators.map(({ name, peer, vote, log, cosigner, account, url }) => [
        name,
        peer,
        vote,
        log,
        cosigner,
        account,
        url,
      ]),
      observers.map(({ name, peer }) => [name, peer]),
      ruleset,
      parametersInOrder(parameters),
      council.threshold,
      council.members,
      // Not the version, which each change has anew.
      policy.digest,
      policy.minValid,
      paused,
    ]);
  return text(before) !== text(after);
}

/** What a change lays its hand on: two that share one of these are in conflict. */
export function touchedBy(change: Change): string[] {
  switch (change.kind) {
    case 'validators':
    case 'observers':
      return [...change.set.map(({ name }) => `node/${name}`), ...change.remove.map((name) => `node/${name}`)];
    default:
      return [change.kind];
  }
}

/** What must not have changed under a proposal: what it touches; and a set was checked for the actions of one ruleset. */
export function reliesOn(change: Change): string[] {
  return change.kind === 'policy' ? ['policy', 'ruleset'] : touchedBy(change);
}

/** Replacing one's own entry: what the account of a validator may propose without the council. */
export function isOwnEntry(state: StateReader, change: Change, account: string): boolean {
  if (change.kind !== 'validators' || change.remove.length > 0 || change.set.length !== 1) return false;
  const [entry] = change.set;
  const current = readGoverned(state).validators.find(({ name }) => name === entry?.name);
  return entry?.account === account && current?.account === account;
}

/** For the type of `wrongWithSet`'s argument. */
export type { NodeSet };
