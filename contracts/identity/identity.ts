// Accounts, their keys and roles. See README.md for the table of transactions, refusals and records.
import type { IdentityRegisterBody } from '../../schemas/types/tx/identity.register.ts';
import type { IdentityResumeBody } from '../../schemas/types/tx/identity.resume.ts';
import type { IdentityRevokeBody } from '../../schemas/types/tx/identity.revoke.ts';
import type { IdentityRolesBody } from '../../schemas/types/tx/identity.roles.ts';
import type { IdentityRotateBody } from '../../schemas/types/tx/identity.rotate.ts';
import type { IdentitySuspendBody } from '../../schemas/types/tx/identity.suspend.ts';
import { accountUid, serviceUid } from '../authorisation.ts';
import { asJson, type Contract, isSorted, type Question, type Refusal, recordHead, refuse, rule } from '../contract.ts';
import { readAccount } from '../signatures.ts';
import type { Json, StateReader } from '../types.ts';
import {
  checkKeysSovereign,
  checkRoles,
  checkSovereign,
  checkUnregistered,
  councilHolds,
  KEYS_MAX,
  newAccount,
  putAccount,
  putKey,
} from './accounts.ts';
import { checkKeys, isProven, signs } from './keys.ts';
import { ROLES_MAX, reservedRoles } from './roles.ts';
import { redeem, ticket } from './tickets.ts';

function aboutAccount(state: StateReader, account: string, context: Question['context']): Question | Refusal {
  if (readAccount(state, account) === undefined) return refuse('ACCOUNT_UNKNOWN');
  return { resource: accountUid(account), context };
}

const register = rule<IdentityRegisterBody>('identity.register', {
  question: ({ account, roles }) => ({ resource: serviceUid('identity'), context: { account, roles } }),
  apply({ account, roles, keys }, context) {
    const { state, block, tx } = context;
    const wrongRoles = checkRoles(roles);
    if (wrongRoles !== undefined) return refuse(wrongRoles);
    if (readAccount(state, account) !== undefined) return refuse('ACCOUNT_EXISTS');
    const named = checkKeys(keys);
    if (typeof named === 'string') return refuse(named);
    if (!named.some(signs)) return refuse('KEY_MISSING');
    const registered = checkUnregistered(state, named);
    if (registered !== undefined) return refuse(registered);
    const record = {
      ...recordHead('identity.registered', context),
      by: tx.account,
      account,
      roles,
      keys: named.map(asJson),
    };
    return { records: [record], changes: newAccount(account, roles, named, block) };
  },
});

const rotate = rule<IdentityRotateBody>('identity.rotate', {
  question: ({ account, add, remove }, { state }) =>
    aboutAccount(state, account, { adds: add.length, removes: remove.length }),
  apply({ account, add, remove }, context) {
    const { state, block, tx } = context;
    const present = readAccount(state, account);
    if (present === undefined) return refuse('ACCOUNT_UNKNOWN');
    const governed = checkKeysSovereign(state, account, tx.account);
    if (governed !== undefined) return refuse(governed);
    if (add.length + remove.length === 0) return refuse('NOTHING_TO_DO');
    if (!isSorted(remove)) return refuse('LIST_UNSORTED');
    const removed = present.keys.filter(({ keyid }) => remove.includes(keyid));
    if (removed.length !== remove.length) return refuse('KEY_UNKNOWN');
    const added = checkKeys(add);
    if (typeof added === 'string') return refuse(added);
    const registered = checkUnregistered(state, added);
    if (registered !== undefined) return refuse(registered);
    if (!add.every((key) => isProven(tx.chain, account, key))) return refuse('PROOF_INVALID');
    const keys = [...present.keys.filter(({ keyid }) => !remove.includes(keyid)), ...added];
    if (keys.length > KEYS_MAX) return refuse('KEYS_TOO_MANY');
    if (!keys.some(signs)) return refuse('KEY_MISSING');
    const changed = { ...present, keys };
    if (!councilHolds(state, changed)) return refuse('LAST_COUNCIL_KEY');
    const changes = new Map<string, Json | null>();
    putAccount(changes, changed);
    for (const key of removed) putKey(changes, account, key, 'revoked', block);
    for (const key of added) putKey(changes, account, key, 'active', block);
    const record = {
      ...recordHead('identity.rotated', context),
      by: tx.account,
      account,
      added: added.map(asJson),
      removed: remove,
    };
    return { records: [record], changes };
  },
});

const revoke = rule<IdentityRevokeBody>('identity.revoke', {
  question: ({ account }, { state }) => aboutAccount(state, account, {}),
  apply({ account, keyid, reason }, context) {
    const { state, block, tx } = context;
    const present = readAccount(state, account);
    if (present === undefined) return refuse('ACCOUNT_UNKNOWN');
    const governed = checkSovereign(state, account, tx.account);
    if (governed !== undefined) return refuse(governed);
    const revoked = present.keys.find((key) => key.keyid === keyid);
    if (revoked === undefined) return refuse('KEY_UNKNOWN');
    // The last key of an account may go: a stolen key must be stoppable. Who may rotate in a new one is for policy to say.
    const changed = { ...present, keys: present.keys.filter((key) => key.keyid !== keyid) };
    if (!councilHolds(state, changed)) return refuse('LAST_COUNCIL_KEY');
    const changes = new Map<string, Json | null>();
    putAccount(changes, changed);
    putKey(changes, account, revoked, 'revoked', block);
    return {
      records: [{ ...recordHead('identity.revoked', context), by: tx.account, account, keyid, reason }],
      changes,
    };
  },
});

const roles = rule<IdentityRolesBody>('identity.roles', {
  question({ account, roles: wanted }, { state }) {
    const present = readAccount(state, account);
    if (present === undefined) return refuse('ACCOUNT_UNKNOWN');
    return { resource: accountUid(account), context: difference(present.roles, wanted) };
  },
  apply({ account, roles: wanted }, context) {
    const { state, tx } = context;
    const present = readAccount(state, account);
    if (present === undefined) return refuse('ACCOUNT_UNKNOWN');
    const governed = checkSovereign(state, account, tx.account);
    if (governed !== undefined) return refuse(governed);
    const wrong = checkRoles(wanted);
    if (wrong !== undefined) return refuse(wrong);
    const { granted, withdrawn } = difference(present.roles, wanted);
    if (granted.length + withdrawn.length === 0) return refuse('NOTHING_TO_DO');
    const all = [...wanted, ...present.roles.filter((role) => reservedRoles.has(role))].sort();
    if (all.length > ROLES_MAX) return refuse('ROLES_TOO_MANY');
    const changes = new Map<string, Json | null>();
    putAccount(changes, { ...present, roles: all });
    const record = {
      ...recordHead('identity.assigned', context),
      by: tx.account,
      account,
      roles: all,
      granted,
      withdrawn,
    };
    return { records: [record], changes };
  },
});

/** Both sides sorted; roles that the ledger gives are no part of it. */
function difference(present: readonly string[], wanted: readonly string[]): { granted: string[]; withdrawn: string[] } {
  return {
    granted: wanted.filter((role) => !present.includes(role)),
    withdrawn: present.filter((role) => !wanted.includes(role) && !reservedRoles.has(role)),
  };
}

const suspend = rule<IdentitySuspendBody>('identity.suspend', {
  question: ({ account }, { state }) => aboutAccount(state, account, {}),
  apply({ account, reason }, context) {
    const { state, tx } = context;
    const present = readAccount(state, account);
    if (present === undefined) return refuse('ACCOUNT_UNKNOWN');
    const governed = checkSovereign(state, account, tx.account);
    if (governed !== undefined) return refuse(governed);
    if (present.status === 'suspended') return refuse('ACCOUNT_SUSPENDED');
    const changed = { ...present, status: 'suspended' as const };
    if (!councilHolds(state, changed)) return refuse('LAST_COUNCIL_KEY');
    const changes = new Map<string, Json | null>();
    putAccount(changes, changed);
    return { records: [{ ...recordHead('identity.suspended', context), by: tx.account, account, reason }], changes };
  },
});

const resume = rule<IdentityResumeBody>('identity.resume', {
  question: ({ account }, { state }) => aboutAccount(state, account, {}),
  apply({ account, reason }, context) {
    const { state, tx } = context;
    const present = readAccount(state, account);
    if (present === undefined) return refuse('ACCOUNT_UNKNOWN');
    if (present.status === 'active') return refuse('ACCOUNT_NOT_SUSPENDED');
    const changes = new Map<string, Json | null>();
    putAccount(changes, { ...present, status: 'active' });
    return { records: [{ ...recordHead('identity.resumed', context), by: tx.account, account, reason }], changes };
  },
});

export const identity: Contract = {
  name: 'identity',
  rules: [register, rotate, revoke, roles, suspend, resume, ticket, redeem],
};
