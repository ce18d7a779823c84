/**
 * A network of one chain, in memory, in which a dangerous intent is asked for: a genesis document with real keys, blocks, contracts,
 * entities from state. Only signatures of transactions are left out, and who answers the policy questions changes: while the stage
 * is set everything is allowed, after that a policy set answers.
 */

import { asJson } from '../../contracts/contract.ts';
import { readAccount } from '../../contracts/signatures.ts';
import { buildEnvelope, decodeTransaction } from '../../contracts/transaction.ts';
import type { Decide, Json, JsonObject } from '../../contracts/types.ts';
import type { DangerousIntent, Request, Step } from '../../schemas/types/dangerous-intent.ts';
import type { Genesis as GenesisDocument } from '../../schemas/types/genesis.ts';
import { toBase64Url } from '../codec/base64.ts';
import { WeftError } from '../codec/error.ts';
import { decodeUtf8, encodeUtf8 } from '../codec/utf8.ts';
import { publicKeyOf } from '../crypto/ed25519.ts';
import { sha256, sha256Hex } from '../crypto/hash.ts';
import { ALG_ED25519, keyId } from '../crypto/keyId.ts';
import { provePossession } from '../crypto/validatorKeys.ts';
import { Chain } from '../ledger/chain.ts';
import { consensusDefaults } from '../ledger/consensusDefaults.ts';
import { type Genesis, loadGenesis } from '../ledger/genesis.ts';
import type { Executed } from '../ledger/overlay.ts';
import { genesisPosition } from '../ledger/restart.ts';
import { leaderOf } from '../ledger/validatorSet.ts';
import { POLICY_ENGINE_ID } from '../policy/engineId.ts';
import type { Decision } from '../policy/types.ts';
import { takenAsVerified } from './takenAsVerified.ts';

const network = 'weft-simulation';
const validatorNames = ['v1', 'v2', 'v3', 'v4'];
const chairName = 'chair';
/** A Monday at noon. */
const atDefault = '2026-11-23T12:00:00Z';
const stepMsDefault = 1000;

/** What became of one request. */
export type Outcome = {
  /** The refusal's code; undefined when it was not refused. */
  readonly code: string | undefined;
  /** Policies that decided against it. */
  readonly policies: readonly string[];
  /** Types of the records that it caused: what happened. */
  readonly records: readonly string[];
};

type Played = { readonly block: Executed; readonly txId: string } | { readonly refused: string };

/** Whose name stands in `reasons` while the stage is set. */
const stagePolicy = 'stage';

export class Stage {
  readonly #danger: DangerousIntent;
  readonly #genesis: Genesis;
  readonly #chain: Chain;
  readonly #txIds = new Map<string, string>();
  #decide: Decide = () => allowed({});
  #nonces = 0;

  private constructor(danger: DangerousIntent) {
    this.#danger = danger;
    this.#genesis = genesisFor(danger);
    this.#chain = new Chain({
      genesis: this.#genesis,
      verifier: takenAsVerified,
      tip: genesisPosition(this.#genesis, () => false),
      decider: () => (request) => this.#decide(request),
    });
  }

  /**
   * Everything has happened that comes before the requests.
   * @throws WeftError LIBRARY_INVALID: a step cannot be made, or the ledger refuses it
   */
  static async set(danger: DangerousIntent): Promise<Stage> {
    let stage: Stage;
    try {
      stage = new Stage(danger);
    } catch (error) {
      throw asInvalid(danger, 'its setting', error);
    }
    for (const [i, step] of danger.setting.before.entries()) await stage.#step(step, `before[${i}]`);
    return stage;
  }

  async #step(step: Step, where: string): Promise<void> {
    const terms = Object.fromEntries((step.terms ?? []).map(({ name, value }) => [name, value]));
    this.#decide = () => allowed(terms);
    const played = await this.#play(step, where, step.afterMs);
    if ('refused' in played) throw invalid(this.#danger, where, `it is not admitted: ${played.refused}`);
    const { block, txId } = played;
    const refused = block.outcomes[0]?.refused ?? deniedIn(recordsOf(block))?.code;
    if (refused !== undefined) throw invalid(this.#danger, where, `the ledger refuses it: ${refused}`);
    if (step.as !== undefined) this.#txIds.set(step.as, txId);
    this.#chain.settle(block);
  }

  /**
   * What becomes of a request when a policy set answers. The stage stays as it is.
   * @throws WeftError LIBRARY_INVALID, POLICY_HOST_FAILED
   */
  async ask(request: Request, decide: Decide, where: string): Promise<Outcome> {
    const denials: Decision[] = [];
    this.#decide = (question) => {
      const decision = decide(question);
      if (decision.decision === 'deny') denials.push(decision);
      return decision;
    };
    const played = await this.#play(request, where);
    if ('refused' in played) return { code: played.refused, policies: [], records: [] };
    const { block } = played;
    const records = recordsOf(block);
    const types = records.map((record) => String(record['type'] ?? 'granted'));
    const denied = deniedIn(records);
    const code = block.outcomes[0]?.refused ?? denied?.code;
    const policies = [...new Set(denials.flatMap(({ reasons }) => reasons))].sort();
    return { code, policies: policies.length > 0 ? policies : (denied?.policies ?? []), records: types };
  }

  /** In a block of its own. `refused`: at the door, by the code; then there is no question. */
  async #play(request: Request, where: string, afterMs = stepMsDefault): Promise<Played> {
    const { blockId: parent, header, nextEpoch: epoch } = this.#chain.tip;
    const time = header.time + afterMs;
    if (readAccount(this.#chain.tip.layer, request.account) === undefined)
      throw invalid(this.#danger, where, `there is no account ${request.account}`);
    const envelope = this.#envelope(request, time, where);
    const view = header.epoch === epoch.epoch ? header.view + 1 : 1;
    const builder = this.#chain.startBlock(parent, { epoch: epoch.epoch, view, proposer: leaderOf(epoch, view), time });
    for (const prepared of await this.#chain.prepare([envelope], 'admission', parent)) {
      if (prepared instanceof WeftError) return { refused: prepared.code };
      const answer = builder.tryAdd(prepared);
      if (answer !== 'added') throw invalid(this.#danger, where, `it may not stand in a block: ${answer}`);
    }
    const { blockId } = builder.seal();
    const block = this.#chain.executed(blockId);
    if (block === undefined)
      throw new WeftError('BLOCK_UNKNOWN', 'The block was not kept: a defect of the simulation.');
    return { block, txId: decodeTransaction(envelope).txId };
  }

  #envelope({ account, type, body }: Request, time: number, where: string): Uint8Array {
    this.#nonces += 1;
    const nonce = new Uint8Array(8);
    new DataView(nonce.buffer).setUint32(4, this.#nonces);
    try {
      const written = this.#written(body as JsonObject, time) as JsonObject;
      const fields = {
        chain: this.#genesis.chain,
        account,
        type,
        expires: time + 60_000,
        nonce: toBase64Url(nonce),
        body: written,
      };
      return buildEnvelope(fields, [
        { keyid: keyId(ALG_ED25519, publicKeyFor(account)), sign: () => new Uint8Array(64) },
      ]);
    } catch (error) {
      throw asInvalid(this.#danger, where, error);
    }
  }

  /** With what `$…` stands for. */
  #written(value: Json, time: number): Json {
    if (typeof value === 'string') return value.startsWith('$') ? this.#meant(value, time) : value;
    if (Array.isArray(value)) return value.map((each) => this.#written(each, time));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, this.#written(each, time)]));
  }

  #meant(text: string, time: number): Json {
    const [, name = '', argument = ''] = /^\$([a-z]+)(?:[:+](.*))?$/.exec(text) ?? [];
    const txId = this.#txIds.get(argument);
    if (name === 'now' && /^[0-9]{0,12}$/.test(argument)) return time + Number(argument);
    if (name === 'tx' && txId !== undefined) return txId;
    if (name === 'key') return toBase64Url(publicKeyFor(argument));
    if (name === 'hash') return sha256Hex(encodeUtf8(argument));
    if (name === 'id') return toBase64Url(sha256(encodeUtf8(argument)));
    throw new WeftError('LIBRARY_INVALID', `'${text}' stands for nothing here`);
  }
}

function allowed(terms: Readonly<Record<string, string>>): Decision {
  return { decision: 'allow', reasons: [stagePolicy], errors: false, annotations: { [stagePolicy]: terms } };
}

/** Records of the first transaction: what stands between its leaf and what the end of the block adds. */
function recordsOf(block: Executed): JsonObject[] {
  const count = block.outcomes[0]?.records ?? 0;
  return block.leaves.slice(1, 1 + count).map(({ bytes }) => JSON.parse(decodeUtf8(bytes)) as JsonObject);
}

/** A denial that the ledger records without refusing the transaction: of an intent, of a group of packets. */
function deniedIn(records: readonly JsonObject[]): { code: string; policies: readonly string[] } | undefined {
  for (const record of records) {
    if (record['type'] !== 'intents.denied' && record['decision'] !== 'deny') continue;
    const { reasons = [] } = (record['policy'] ?? {}) as { readonly reasons?: readonly string[] };
    return { code: String(record['why'] ?? 'POLICY_DENIED'), policies: reasons };
  }
  return undefined;
}

const seedFor = (name: string): Uint8Array => sha256(encodeUtf8(`weft simulation key: ${name}`));
const publicKeyFor = (name: string): Uint8Array => publicKeyOf(seedFor(name));

type Validator = GenesisDocument['validators'][number];

function validatorOf(name: string, url: string): Validator {
  const key = (role: string): string => toBase64Url(publicKeyFor(`${name}/${role}`));
  const proof = (role: 'peer' | 'vote' | 'log' | 'cosigner'): string =>
    toBase64Url(provePossession(network, name, role, seedFor(`${name}/${role}`)));
  return {
    name,
    peer: key('peer'),
    vote: key('vote'),
    log: key('log'),
    cosigner: key('cosigner'),
    account: name,
    url,
    proofs: { peer: proof('peer'), vote: proof('vote'), log: proof('log'), cosigner: proof('cosigner') },
  };
}

let validators: readonly Validator[] | undefined;

/** Many settings have the same cast, and its keys are checked with care: once is enough. */
const castings = new Map<string, Genesis>();
const castingsMax = 256;

function genesisFor(danger: DangerousIntent): Genesis {
  const text = JSON.stringify(genesisOf(danger));
  const known = castings.get(text);
  if (known !== undefined) return known;
  const genesis = loadGenesis(encodeUtf8(text));
  if (castings.size < castingsMax) castings.set(text, genesis);
  return genesis;
}

function genesisOf({ setting }: DangerousIntent): JsonObject {
  const council = setting.council ?? { threshold: 1, members: [chairName] };
  const roles = new Map<string, readonly string[]>([...validatorNames, ...council.members].map((name) => [name, []]));
  for (const account of setting.accounts) roles.set(account.name, account.roles);
  validators ??= validatorNames.map((name, i) => validatorOf(name, `http://127.0.0.1:${7611 + 10 * i}`));
  return {
    format: 'weft/genesis/v1',
    name: network,
    time: Date.parse(setting.at ?? atDefault),
    ruleset: 1,
    consensus: { ...consensusDefaults },
    validators: validators.map(asJson),
    observers: [],
    accounts: [...roles]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, held]) => ({
        name,
        roles: [...held].sort(),
        keys: [{ alg: 'ed25519', publicKey: toBase64Url(publicKeyFor(name)) }],
      })),
    council: { threshold: council.threshold, members: [...council.members].sort() },
    policy: { engine: { ...POLICY_ENGINE_ID }, ...stageSet },
  };
}

/** Stands in state and is never asked: see `decider`. */
const stageSet = {
  schema: 'entity Account, Service;\naction any appliesTo { principal: [Account], resource: [Service] };',
  policies: [{ id: stagePolicy, text: 'permit (principal, action, resource);' }],
};

function asInvalid(danger: DangerousIntent, where: string, error: unknown): unknown {
  if (!(error instanceof WeftError) || error.code === 'POLICY_HOST_FAILED') return error;
  return invalid(danger, where, error.message);
}

function invalid({ id }: DangerousIntent, where: string, why: string): WeftError {
  return new WeftError('LIBRARY_INVALID', `${id}.json, ${where}: ${why}`);
}
