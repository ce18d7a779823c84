// Accounts in state, and what must stay true of them whatever changes.
import type { AccountRecord } from '../../schemas/types/account-record.ts';
import { asJson, isSorted } from '../contract.ts';
import { nodeKeyPath, readAgenda, readGoverned, readPending } from '../governance/state.ts';
import { accountPath, readAccount } from '../signatures.ts';
import type { BlockContext, Json, StateReader } from '../types.ts';
import { keyPath, type NamedKey, signs } from './keys.ts';
import { reservedRoles } from './roles.ts';

/** Keys that one account may hold at a time. */
export const KEYS_MAX = 16;

type Council = { readonly threshold: number; readonly members: readonly string[] };

/** The code of what is wrong with a list of roles that a transaction gives: `LIST_UNSORTED`, `ROLE_RESERVED`. */
export function checkRoles(roles: readonly string[]): string | undefined {
  if (!isSorted(roles)) return 'LIST_UNSORTED';
  return roles.some((role) => reservedRoles.has(role)) ? 'ROLE_RESERVED' : undefined;
}

/** `KEY_REGISTERED` when any of these was ever registered on this chain, by whomever, or is a validator's key of another kind. */
export function checkUnregistered(state: StateReader, keys: readonly NamedKey[]): string | undefined {
  const isTaken = ({ keyid, publicKey }: NamedKey): boolean =>
    state.get(keyPath(keyid)) !== undefined || state.get(nodeKeyPath(publicKey)) !== undefined;
  return keys.some(isTaken) ? 'KEY_REGISTERED' : undefined;
}

/** A new account's state. */
export function newAccount(
  account: string,
  roles: readonly string[],
  keys: readonly NamedKey[],
  block: BlockContext,
): Map<string, Json | null> {
  const changes = new Map<string, Json | null>();
  putAccount(changes, { account, status: 'active', roles: [...roles], keys: [...keys] });
  for (const key of keys) putKey(changes, account, key, 'active', block);
  return changes;
}

export function putAccount(changes: Map<string, Json | null>, account: AccountRecord): void {
  const { account: name, status, roles, keys } = account;
  changes.set(accountPath(name), { account: name, status, roles, keys: keys.map(asJson) });
}

export function putKey(
  changes: Map<string, Json | null>,
  account: string,
  key: NamedKey,
  status: 'active' | 'revoked',
  block: BlockContext,
): void {
  changes.set(keyPath(key.keyid), { account, alg: key.alg, publicKey: key.publicKey, status, height: block.height });
}

/**
 * True when the council can still decide once `changed` is what it is to be: at least `threshold` members are active and
 * hold a key that signs. A council below its threshold could never repair itself.
 */
export function councilHolds(state: StateReader, changed: AccountRecord): boolean {
  const council = state.get('governance/council/current') as Council | undefined;
  if (council === undefined || !council.members.includes(changed.account)) return true;
  let able = 0;
  for (const member of council.members) {
    const account = member === changed.account ? changed : readAccount(state, member);
    if (account !== undefined && account.status === 'active' && account.keys.some(signs)) able += 1;
  }
  return able >= council.threshold;
}

/**
 * `ACCOUNT_GOVERNED` when somebody else would change an account that sits in the council or speaks for a validator. Whatever
 * policy says: if one member could rotate a key of his own into the account of another one, a single stolen key would be all
 * of them. Where such an account has lost its key, m of n put another account in its place.
 */
export function checkSovereign(state: StateReader, account: string, sender: string): string | undefined {
  if (account === sender) return undefined;
  const { council, validators } = readGoverned(state);
  const isGoverned = council.members.includes(account) || validators.some((validator) => validator.account === account);
  return isGoverned ? 'ACCOUNT_GOVERNED' : undefined;
}

/**
 * The same for the keys of an account that a proposal would give such a place: the council agrees to whoever holds the account
 * when it approves. It may still be stopped: then it takes no place.
 */
export function checkKeysSovereign(state: StateReader, account: string, sender: string): string | undefined {
  const isNamed = (id: string): boolean => {
    const change = readPending(state, id)?.change;
    if (change?.kind === 'council') return change.members.includes(account);
    return change?.kind === 'validators' && change.set.some((entry) => entry.account === account);
  };
  if (account !== sender && readAgenda(state).some(isNamed)) return 'ACCOUNT_GOVERNED';
  return checkSovereign(state, account, sender);
}
