// What must hold of a set of validators and observers, whoever brings it: a genesis document or a proposal.
import { fromBase64Url } from '../../src/codec/base64.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { algLog, keyIdOf } from '../../src/log/vkey.ts';
import { isSorted } from '../contract.ts';
import { checkKeys } from '../identity/keys.ts';
import type { ObserverEntry, Parameters, ValidatorEntry } from './state.ts';

const VALIDATORS_MAX = 128;
const OBSERVERS_MAX = 256;

/** The keys of a validator that are not its account's, in their order. */
export const nodeRoles = ['peer', 'vote', 'log', 'cosigner'] as const;
export type NodeRole = (typeof nodeRoles)[number];

export type NodeSet = {
  readonly validators: readonly ValidatorEntry[];
  readonly observers: readonly ObserverEntry[];
};

/** `code` enters the log, `why` is for people: it goes on after "Genesis document: ". */
export type Wrong = { readonly code: string; readonly why: string };

export type SetFacts = {
  /** Name under which log keys sign. */
  readonly origin: string;
  hasAccount(name: string): boolean;
  /** What else is known of a key, if it stands against this use. */
  objection(publicKey: string, role: NodeRole, name: string): Wrong | undefined;
  /** The key was checked before (canonical, of large order, torsion-free): that costs a millisecond and holds for ever. */
  isChecked(publicKey: string): boolean;
};

/**
 * What is wrong with a set, or undefined: order and uniqueness of names, numbers, accounts (each exists and speaks for one
 * validator), keys (sound, none twice in whatever role, nothing known against them), ids of log keys.
 */
export function wrongWithSet({ validators, observers }: NodeSet, facts: SetFacts): Wrong | undefined {
  for (const [what, named] of [
    ['validators', validators],
    ['observers', observers],
  ] as const) {
    if (!isSorted(named.map(({ name }) => name)))
      return { code: 'LIST_UNSORTED', why: `${what} are not sorted by name, none twice` };
  }
  if (validators.length < 1 || validators.length > VALIDATORS_MAX)
    return { code: 'SET_SIZE', why: `there are 1 to ${VALIDATORS_MAX} validators` };
  if (observers.length > OBSERVERS_MAX)
    return { code: 'SET_SIZE', why: `there are at most ${OBSERVERS_MAX} observers` };
  return wrongAccount(validators, facts) ?? wrongName(validators, observers) ?? wrongKey(validators, observers, facts);
}

function wrongAccount(validators: readonly ValidatorEntry[], facts: SetFacts): Wrong | undefined {
  const spokenFor = new Set<string>();
  for (const { name, account } of validators) {
    if (!facts.hasAccount(account))
      return { code: 'ACCOUNT_UNKNOWN', why: `validator ${name}: account ${account} is not among the accounts` };
    if (spokenFor.has(account)) return { code: 'ACCOUNT_TAKEN', why: `account ${account} speaks for two validators` };
    spokenFor.add(account);
  }
  return undefined;
}

function wrongName(validators: readonly ValidatorEntry[], observers: readonly ObserverEntry[]): Wrong | undefined {
  const names = new Set(validators.map(({ name }) => name));
  const both = observers.find(({ name }) => names.has(name));
  return both && { code: 'NAME_TAKEN', why: `${both.name} is a validator and an observer` };
}

function wrongKey(
  validators: readonly ValidatorEntry[],
  observers: readonly ObserverEntry[],
  facts: SetFacts,
): Wrong | undefined {
  const owners = new Map<string, string>();
  const wrong = (publicKey: string, role: NodeRole, name: string, owner: string): Wrong | undefined => {
    const other = owners.get(publicKey);
    if (other !== undefined) return { code: 'KEY_USED', why: `${owner} is also ${other}` };
    owners.set(publicKey, owner);
    const objection = facts.objection(publicKey, role, name);
    return objection && { code: objection.code, why: `${owner} ${objection.why}` };
  };
  const logKeys = new Map<string, string>();
  for (const validator of validators) {
    const { name } = validator;
    for (const role of nodeRoles) {
      const found = wrong(validator[role], role, name, `the ${role} key of validator ${name}`);
      if (found !== undefined) return found;
    }
    // All log keys share one name, so two with one 4-byte id could not be told apart; foreign readers of notes refuse both.
    const id = keyIdOf(sha256, facts.origin, algLog, fromBase64Url(validator.log));
    const other = logKeys.get(id);
    if (other !== undefined)
      return { code: 'LOG_KEY_ID', why: `the log keys of ${other} and ${name} have the same key id: make a new one` };
    logKeys.set(id, name);
  }
  for (const { name, peer } of observers) {
    const found = wrong(peer, 'peer', name, `the peer key of observer ${name}`);
    if (found !== undefined) return found;
  }
  // Last, because a millisecond each is the dearest check of all.
  for (const [publicKey, owner] of owners) {
    if (!facts.isChecked(publicKey) && !Array.isArray(checkKeys([{ alg: 'ed25519', publicKey }])))
      return { code: 'KEY_INVALID', why: `${owner}: KEY_INVALID` };
  }
  return undefined;
}

/** What is wrong with consensus parameters that have the form of their schema: the inequalities without which no engine starts. */
export function wrongWithParameters(p: Parameters): Wrong | undefined {
  const rules: readonly (readonly [boolean, string])[] = [
    [p.certificationTimeoutMs > p.leaderTimeoutMs, 'certificationTimeoutMs is not above leaderTimeoutMs'],
    [p.idleBlockMs > p.leaderTimeoutMs, 'idleBlockMs is not above leaderTimeoutMs'],
    [p.skipMs > p.certificationTimeoutMs, 'skipMs is not above certificationTimeoutMs'],
    [p.skipMs >= 3 * p.idleBlockMs, 'skipMs is below 3 × idleBlockMs'],
    [p.retryMs < p.skipMs, 'retryMs is not below skipMs'],
  ];
  const broken = rules.find(([holds]) => !holds);
  return broken && { code: 'PARAMETERS_INVALID', why: `consensus.${broken[1]}` };
}
