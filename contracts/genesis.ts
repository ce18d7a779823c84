// The document on which a network begins: what must hold in it, the state it makes, and the record that is leaf 0.
import type { Genesis, Validator } from '../schemas/types/genesis.ts';
import { validate } from '../schemas/validators.ts';
import { fromBase64Url } from '../src/codec/base64.ts';
import { WeftError } from '../src/codec/error.ts';
import { encodeUtf8 } from '../src/codec/utf8.ts';
import { verifyPossession } from '../src/crypto/validatorKeys.ts';
import { digestPolicySet } from '../src/policy/document.ts';
import type { PolicyEngineId } from '../src/policy/engineId.ts';
import { asJson, isSorted } from './contract.ts';
import { nodeKeys } from './governance/effects.ts';
import { epochValue, namedWithVkeys, parametersInOrder } from './governance/epochs.ts';
import { type NodeRole, nodeRoles, wrongWithParameters, wrongWithSet } from './governance/nodeSet.ts';
import { policySetPath } from './governance/policySet.ts';
import {
  consensusPath,
  councilPath,
  epochPath,
  nodeKeyPath,
  pausePath,
  policyPath,
  validatorsPath,
} from './governance/state.ts';
import { checkKeys, keyPath, type NamedKey, nameKey, signs } from './identity/keys.ts';
import { COUNCIL_ROLE, reservedRoles, VALIDATOR_ROLE } from './identity/roles.ts';
import { LIMITS } from './limits.ts';
import { accountPath } from './signatures.ts';
import type { Json, LedgerRecord, StateChanges } from './types.ts';

export type GenesisResult = { readonly changes: StateChanges; readonly record: LedgerRecord };

export type GenesisNames = {
  readonly ruleset: number;
  readonly engine: PolicyEngineId;
  /** Hex. */
  readonly genesisHash: string;
  readonly chain: string;
};

/**
 * The document as a typed value, when everything holds that can be seen from it alone: schema, order and uniqueness of
 * names, distinct keys, proofs of possession, accounts that others name. Policies are not parsed here.
 * @throws WeftError `GENESIS_INVALID`
 */
export function checkGenesis(document: Json, chain: string): Genesis {
  const wrong = validate('genesis', document);
  if (wrong !== undefined) throw invalid(wrong);
  const genesis = document as unknown as Genesis;
  const { validators, observers, accounts, council, policy, consensus } = genesis;
  requireSorted('accounts', accounts);
  if (!isSorted(policy.policies.map(({ id }) => id))) throw invalid('policy.policies are not sorted by id, none twice');
  if (!isSorted(council.members)) throw invalid('council.members are not sorted, none twice');
  if (council.threshold > council.members.length) throw invalid('council.threshold is above the number of members');
  const wrongParameters = wrongWithParameters(consensus);
  if (wrongParameters !== undefined) throw invalid(wrongParameters.why);
  const keys = new Map<string, string>();
  for (const account of accounts) checkAccount(account, keys);
  const names = new Set(accounts.map(({ name }) => name));
  for (const member of council.members) {
    if (!names.has(member)) throw invalid(`council member ${member} is not among the accounts`);
  }
  const wrongSet = wrongWithSet(
    { validators, observers },
    {
      origin: `${chain}/weft`,
      hasAccount: (name) => names.has(name),
      isChecked: () => false,
      objection(publicKey) {
        const owner = keys.get(publicKey);
        return owner === undefined ? undefined : { code: 'KEY_USED', why: `is also ${owner}` };
      },
    },
  );
  if (wrongSet !== undefined) throw invalid(wrongSet.why);
  for (const validator of validators) for (const role of nodeRoles) checkProof(genesis.name, validator, role);
  return genesis;
}

/**
 * State and leaf 0.
 * @throws WeftError `GENESIS_INVALID` (also: made for another ruleset or policy engine), `GENESIS_TOO_LARGE` (leaf 0 is
 *   above the size of a log entry: fewer observers, validators or council members)
 */
export function openGenesis(document: Json, names: GenesisNames): GenesisResult {
  const genesis = checkGenesis(document, names.chain);
  if (genesis.ruleset !== names.ruleset)
    throw invalid(`it begins under ruleset ${genesis.ruleset}, not ${names.ruleset}`);
  for (const part of ['sdk', 'language', 'wasmSha256'] as const) {
    if (genesis.policy.engine[part] !== names.engine[part]) {
      throw invalid(
        `policy.engine.${part} is ${genesis.policy.engine[part]}; ruleset ${names.ruleset} decides with ${names.engine[part]}`,
      );
    }
  }
  const { schema, policies } = genesis.policy;
  const policyDigest = digestPolicySet({ schema, policies });
  const record = genesisRecord(genesis, names, policyDigest);
  const bytes = encodeUtf8(JSON.stringify(record)).length;
  if (bytes > LIMITS.leafBytesMax) {
    throw new WeftError(
      'GENESIS_TOO_LARGE',
      `The genesis record has ${bytes} bytes; a log entry has at most ${LIMITS.leafBytesMax}. Name fewer observers or validators.`,
      {
        bytes,
        bytesMax: LIMITS.leafBytesMax,
      },
    );
  }
  return { changes: genesisState(genesis, policyDigest), record };
}

function genesisState(genesis: Genesis, policyDigest: string): StateChanges {
  const changes = new Map<string, Json>();
  const { validators, observers, council, consensus, ruleset, policy } = genesis;
  const speakers = new Set(validators.map(({ account }) => account));
  const members = new Set(council.members);
  for (const { name, roles, keys } of genesis.accounts) {
    const named = keys.map(nameKey);
    const allRoles = [...roles];
    if (members.has(name)) allRoles.push(COUNCIL_ROLE);
    if (speakers.has(name)) allRoles.push(VALIDATOR_ROLE);
    changes.set(accountPath(name), {
      account: name,
      status: 'active',
      roles: allRoles.sort(),
      keys: named.map(asJson),
    });
    for (const key of named) {
      changes.set(keyPath(key.keyid), {
        account: name,
        alg: key.alg,
        publicKey: key.publicKey,
        status: 'active',
        height: 0,
      });
    }
  }
  changes.set(councilPath, { threshold: council.threshold, members: council.members });
  changes.set(policyPath, { version: 1, digest: policyDigest, minValid: 1, height: 0 });
  changes.set(policySetPath(policyDigest), asJson({ schema: policy.schema, policies: policy.policies }));
  changes.set(pausePath, { paused: false, height: 0 });
  changes.set(validatorsPath, {
    validators: validators.map(({ name, peer, vote, log, cosigner, account, url }) => ({
      name,
      peer,
      vote,
      log,
      cosigner,
      account,
      url,
    })),
    observers: observers.map(({ name, peer }) => ({ name, peer })),
  });
  changes.set(consensusPath, { ruleset, parameters: asJson(consensus) });
  changes.set(epochPath(1), epochValue(1, 1, { ruleset, validators }));
  for (const [publicKey, value] of nodeKeys({ validators, observers }, 'active', 0))
    changes.set(nodeKeyPath(publicKey), value);
  return changes;
}

function genesisRecord(genesis: Genesis, { chain, genesisHash }: GenesisNames, policyDigest: string): LedgerRecord {
  const origin = `${chain}/weft`;
  const accountKeys = (name: string): Json =>
    (genesis.accounts.find((account) => account.name === name)?.keys ?? []).map(({ alg, publicKey }) => ({
      alg,
      publicKey,
    }));
  return {
    type: 'genesis',
    height: 0,
    time: genesis.time,
    chain,
    origin,
    genesisHash,
    name: genesis.name,
    ruleset: genesis.ruleset,
    consensus: parametersInOrder(genesis.consensus),
    validators: genesis.validators.map((validator) => {
      const { url, ...named } = namedWithVkeys(chain, validator);
      return { ...named, accountKeys: accountKeys(validator.account), url };
    }),
    observers: genesis.observers.map(({ name, peer }) => ({ name, peer })),
    council: { threshold: genesis.council.threshold, members: genesis.council.members },
    policy: { version: 1, digest: policyDigest },
  };
}

function checkAccount(account: Genesis['accounts'][number], keys: Map<string, string>): void {
  if (!isSorted(account.roles)) throw invalid(`the roles of account ${account.name} are not sorted`);
  const reserved = account.roles.find((role) => reservedRoles.has(role));
  if (reserved !== undefined)
    throw invalid(`account ${account.name} names the role ${reserved}, which the ledger gives by itself`);
  const named: NamedKey[] | string = checkKeys(account.keys);
  if (typeof named === 'string') throw invalid(`the keys of account ${account.name}: ${named}`);
  if (!named.some(signs)) throw invalid(`account ${account.name} has no key that signs`);
  for (const key of named) {
    takeKey(keys, key.publicKey, `a key of account ${account.name}`);
    // Two keys with one id can be ground; state knows keys by id.
    takeKey(keys, key.keyid, `the key id ${key.keyid} of account ${account.name}`);
  }
}

function takeKey(keys: Map<string, string>, publicKey: string, owner: string): void {
  const other = keys.get(publicKey);
  if (other !== undefined) throw invalid(`${owner} is also ${other}`);
  keys.set(publicKey, owner);
}

function checkProof(network: string, validator: Validator, role: NodeRole): void {
  const claim = { network, validator: validator.name, role, publicKey: fromBase64Url(validator[role]) };
  if (!verifyPossession(claim, fromBase64Url(validator.proofs[role]))) {
    throw invalid(`validator ${validator.name}: the proof of possession of its ${role} key does not verify`);
  }
}

function requireSorted(what: string, named: readonly { readonly name: string }[]): void {
  if (!isSorted(named.map(({ name }) => name))) throw invalid(`${what} are not sorted by name, none twice`);
}

function invalid(why: string): WeftError {
  return new WeftError('GENESIS_INVALID', `Genesis document: ${why}.`);
}
