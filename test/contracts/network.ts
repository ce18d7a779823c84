// A network in memory: keys from fixed seeds, a genesis document, state, and transactions executed one after another.

import { type Ruleset, ruleset } from '../../contracts/rulesets.ts';
import { buildEnvelope, decodeTransaction } from '../../contracts/transaction.ts';
import type {
  Applied,
  BlockContext,
  CheckPolicySet,
  Decide,
  Json,
  JsonObject,
  Transaction,
} from '../../contracts/types.ts';
import { toBase64Url } from '../../src/codec/base64.ts';
import { canonicalJson } from '../../src/codec/canonical.ts';
import { concat, encodeUtf8 } from '../../src/codec/utf8.ts';
import { keyProofMessage, type PlainKey } from '../../src/crypto/accountKey.ts';
import { publicKeyOf, sign } from '../../src/crypto/ed25519.ts';
import { sha256, sha256Hex } from '../../src/crypto/hash.ts';
import { ALG_ED25519, keyId } from '../../src/crypto/keyId.ts';
import { p256PublicKeyOf, signP256 } from '../../src/crypto/p256.ts';
import { provePossession } from '../../src/crypto/validatorKeys.ts';
import { POLICY_ENGINE_ID } from '../../src/policy/engineId.ts';
import { testParameters } from '../parameters.ts';

export const NAME = 'weft-vectors';
const GENESIS_TIME = 1_763_712_000_000;

export function seedOf(name: string): Uint8Array {
  return sha256(encodeUtf8(`weft test key: ${name}`));
}

export function keyOf(name: string): PlainKey & { readonly keyid: string } {
  const publicKey = publicKeyOf(seedOf(name));
  return { keyid: keyId(ALG_ED25519, publicKey), alg: 'ed25519', publicKey: toBase64Url(publicKey) };
}

export function plainKey(name: string): PlainKey {
  const { alg, publicKey } = keyOf(name);
  return { alg, publicKey };
}

export function p256Key(name: string): PlainKey {
  return { alg: 'p256', publicKey: toBase64Url(p256PublicKeyOf(seedOf(name))) };
}

/** A key with its proof of possession for an account. */
export function provenKey(chain: string, account: string, name: string, alg: 'ed25519' | 'p256' = 'ed25519') {
  const key = alg === 'ed25519' ? plainKey(name) : p256Key(name);
  const message = keyProofMessage(chain, account, key);
  const proof = alg === 'ed25519' ? sign(message, seedOf(name)) : signP256(message, seedOf(name));
  return { ...key, proof: toBase64Url(proof) };
}

/** Validators v5 to v7 can be added: their accounts exist. */
const spareValidators = ['v5', 'v6', 'v7'];

const accountNames = [
  'admin',
  'femto',
  'host-17',
  'misty.weave',
  'oracle.weave',
  'router-prime',
  'scanner',
  'scanner-2',
];
const rolesOf: Readonly<Record<string, readonly string[]>> = {
  admin: ['administrator', 'routing-admin'],
  femto: ['model-publisher'],
  'misty.weave': ['agent'],
  'oracle.weave': ['agent', 'model-authoriser'],
  'router-prime': ['router'],
  scanner: ['model-verifier'],
  'scanner-2': ['model-verifier'],
};

export const openPolicy = {
  schema: 'entity Account, Service;\naction any appliesTo { principal: [Account], resource: [Service] };',
  policies: [{ id: 'all', text: 'permit (principal, action, resource);' }],
};

/** `validators` v1…vn; every account but `host-17` exists from the start, with the key of its own name. */
export function genesisDocument(
  options: {
    readonly validators?: number;
    readonly policy?: typeof openPolicy;
    /** Further accounts, with their roles. */
    readonly accounts?: Readonly<Record<string, readonly string[]>>;
  } = {},
) {
  const validatorNames = Array.from({ length: options.validators ?? 4 }, (_, i) => `v${i + 1}`).sort();
  const validators = validatorNames.map((name, i) => {
    const key = (role: string): string => toBase64Url(publicKeyOf(seedOf(`${name}/${role}`)));
    const proof = (role: 'peer' | 'vote' | 'log' | 'cosigner'): string =>
      toBase64Url(provePossession(NAME, name, role, seedOf(`${name}/${role}`)));
    return {
      name,
      peer: key('peer'),
      vote: key('vote'),
      log: key('log'),
      cosigner: key('cosigner'),
      account: name,
      url: `http://127.0.0.1:${7611 + 10 * i}`,
      proofs: { peer: proof('peer'), vote: proof('vote'), log: proof('log'), cosigner: proof('cosigner') },
    };
  });
  const spare = spareValidators.filter((name) => !validatorNames.includes(name));
  const further = options.accounts ?? {};
  const names = [
    ...accountNames.filter((name) => name !== 'host-17'),
    ...validatorNames,
    ...spare,
    ...Object.keys(further),
  ].sort();
  return {
    format: 'weft/genesis/v1',
    name: NAME,
    time: GENESIS_TIME,
    ruleset: 1,
    consensus: { ...testParameters },
    validators,
    observers: [{ name: 'o1', peer: toBase64Url(publicKeyOf(seedOf('o1/peer'))) }],
    accounts: names.map((name) => ({
      name,
      roles: [...(further[name] ?? rolesOf[name] ?? [])],
      keys: [plainKey(name)],
    })),
    council: { threshold: 1, members: ['admin'] },
    policy: { engine: { ...POLICY_ENGINE_ID }, ...(options.policy ?? openPolicy) },
  };
}

export function hashOfGenesis(document: unknown): string {
  return sha256Hex(concat(encodeUtf8('weft/genesis/v1'), encodeUtf8(canonicalJson(document))));
}

export const allowAll: Decide = () => ({ decision: 'allow', reasons: [], errors: false, annotations: {} });

export type SendOptions = { readonly signers?: readonly string[]; readonly nonce?: number; readonly decide?: Decide };

/** Executes transactions against a map. Each `send` is a transaction in the present block; `next` begins another block. */
export class Network {
  readonly rules: Ruleset;
  readonly chain: string;
  readonly genesisHash: string;
  readonly genesisRecord: JsonObject;
  readonly state = new Map<string, Json>();
  readonly asked: Parameters<Decide>[0][] = [];
  decide: Decide = allowAll;
  /** What Cedar says of a policy set is not these tests' matter. */
  checkPolicySet: CheckPolicySet = () => undefined;
  block: BlockContext;
  #count = 0;

  constructor(document: Json = genesisDocument()) {
    const rules = ruleset(1);
    if (rules === undefined) throw new TypeError('ruleset 1 is missing');
    this.rules = rules;
    this.genesisHash = hashOfGenesis(document);
    this.chain = `${NAME}-${this.genesisHash.slice(0, 12)}`;
    const { changes, record } = rules.genesis(document, this.genesisHash, this.chain);
    this.genesisRecord = record;
    this.#commit(changes);
    this.block = {
      chain: this.chain,
      genesisHash: this.genesisHash,
      height: 1,
      time: GENESIS_TIME + 1000,
      epoch: 1,
      ruleset: 1,
    };
  }

  /** Ends the block, and begins another. */
  next(ms = 1000): Applied {
    const applied = this.rules.endBlock(this.reader(), this.block);
    this.#commit(applied.changes);
    if (applied.records.some((record) => record['type'] === 'epoch')) {
      const { ruleset: version } = this.state.get('governance/consensus/current') as { ruleset: number };
      this.block = { ...this.block, epoch: this.block.epoch + 1, ruleset: version };
    }
    this.block = { ...this.block, height: this.block.height + 1, time: this.block.time + ms };
    return applied;
  }

  transaction(account: string, type: string, body: unknown, options: SendOptions = {}): Transaction {
    this.#count += 1;
    const nonce = new Uint8Array(8);
    new DataView(nonce.buffer).setUint32(4, options.nonce ?? this.#count);
    const fields = {
      chain: this.chain,
      account,
      type,
      expires: this.block.time + 60_000,
      nonce: toBase64Url(nonce),
      body: body as JsonObject,
    };
    const signers = (options.signers ?? [account]).map((name) => ({
      keyid: keyOf(name).keyid,
      sign: (message: Uint8Array) => sign(message, seedOf(name)),
    }));
    return decodeTransaction(buildEnvelope(fields, signers), { chain: this.chain });
  }

  send(account: string, type: string, body: unknown, options: SendOptions = {}): Applied {
    return this.execute(this.transaction(account, type, body, options), options.decide);
  }

  execute(tx: Transaction, decide: Decide = this.decide): Applied {
    const listening: Decide = (request) => {
      this.asked.push(request);
      return decide(request);
    };
    const applied = this.rules.apply(this.reader(), this.block, tx, listening, (document) =>
      this.checkPolicySet(document),
    );
    this.#commit(applied.changes);
    return applied;
  }

  /** State as the ledger gives it: JSON that nobody can change. */
  reader(): { get(path: string): Json | undefined } {
    return { get: (path) => this.state.get(path) };
  }

  #commit(changes: ReadonlyMap<string, Json | null>): void {
    for (const [path, value] of changes) {
      // Through text, as the ledger stores it: what a contract leaves `undefined` by mistake would show.
      if (value === null) this.state.delete(path);
      else this.state.set(path, deepFreeze(JSON.parse(JSON.stringify(value)) as Json));
    }
  }
}

function deepFreeze(value: Json): Json {
  if (typeof value === 'object' && value !== null) {
    for (const each of Object.values(value)) deepFreeze(each);
    Object.freeze(value);
  }
  return value;
}
