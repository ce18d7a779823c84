// A ledger in this process for the executor: blocks on demand, a real log with real cosignatures, a real state tree, so that
// every token and status is one that `weft/token` verifies; and the rules of intents in the few lines that matter here.
import type { Json, JsonObject } from '../../contracts/types.ts';
import { canonicalJson } from '../../src/codec/canonical.ts';
import { WeftError } from '../../src/codec/error.ts';
import { toHex } from '../../src/codec/hex.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/codec/utf8.ts';
import { sign } from '../../src/crypto/ed25519.ts';
import { sha256, sha256Hex } from '../../src/crypto/hash.ts';
import type { LedgerNode, Wanted } from '../../src/executor/nodes.ts';
import { signCheckpoint } from '../../src/log/checkpoint.ts';
import { cosign, publishCheckpoint } from '../../src/log/cosignature.ts';
import { StateTree, stateKey } from '../../src/log/stateTree.ts';
import { encodeToken } from '../../src/token/form.ts';
import { effectDigest } from '../../src/token/node.ts';
import { statusPaths } from '../../src/token/status.ts';
import { encodeStatus } from '../../src/token/statusForm.ts';
import { SampleLog, sampleNetwork } from '../log/sample.ts';

export const startMs = 1_763_712_000_000;
export const account = 'actuator-web-3';
export const effect = { host: 'web-3', service: 'nginx' };

/** The sample keys, made once; libsodium signs in a fiftieth of the reference's time. */
const network = sampleNetwork();
const quickly = <K extends { readonly seed: Uint8Array }>(key: K) => ({
  ...key,
  sign: (message: Uint8Array) => sign(message, key.seed),
});
const log = quickly(network.logs[0]!);
const cosigners = network.cosigners.slice(0, network.trust.quorum).map(quickly);

export type GrantOptions = {
  readonly maxUses?: number;
  readonly reusable?: boolean;
  readonly dryRun?: boolean;
  readonly audience?: string;
  readonly actWithinMs?: number;
  readonly ttlMs?: number;
  readonly policy?: number;
  readonly effect?: JsonObject;
};

type GrantState = {
  status: string;
  uses: number;
  maxUses: number;
  attempts: { attempt: string; time: number; outcomes: string[] }[];
  expires: number;
};

export type Tx = {
  readonly type: string;
  readonly account: string;
  readonly body: { readonly [name: string]: string };
  readonly expires: number;
};

export class TestLedger {
  now = startMs;
  readonly network = network;
  readonly state = new Map<string, Json>([
    ['governance/policy/current', { version: 1, digest: '0'.repeat(64), minValid: 1, height: 0 }],
    ['governance/pause/current', { paused: false, height: 0 }],
    [`identity/account/${account}`, { account, status: 'active' }],
    ['identity/account/remedy', { account: 'remedy', status: 'active' }],
  ]);
  readonly grants = new Map<string, GrantState>();
  readonly #leaves: Uint8Array[] = [];
  readonly #places = new Map<string, number>();
  readonly #fates = new Map<string, { readonly refused: string; readonly index: number }>();
  #log = new SampleLog([]);
  #height = 0;
  #count = 0;

  constructor() {
    this.block([]);
  }

  /** Grants an intent, as if it had been proposed and allowed. */
  grant(options: GrantOptions = {}): string {
    this.#count += 1;
    const intent = sha256Hex(encodeUtf8(`intent ${this.#count}`));
    const { maxUses = 1, reusable = false, dryRun = false, audience = account, actWithinMs = 10_000 } = options;
    const expires = this.now + (options.ttlMs ?? 300_000);
    const digest = effectDigest(options.effect ?? effect);
    const bounds = { height: 100_000, time: expires };
    const leaf = {
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ name: 'effect', digest: { sha256: digest } }],
      predicateType: 'urn:weft:grant:v1',
      predicate: {
        intent,
        height: this.#height + 1,
        time: this.now,
        tx: intent,
        decision: 'allow',
        policy: { version: options.policy ?? 1, sha256: '0'.repeat(64), reasons: ['restart'] },
        action: 'service.restart',
        resource: 'service/web-3/nginx',
        limits: { dryRun, maxTargets: 1 },
        requester: 'remedy',
        audience,
        approvers: [],
        nonce: 'q83vEjRWeJA',
        maxUses,
        reusable,
        actWithinMs,
        notBefore: { height: this.#height + 1, time: this.now },
        expires: bounds,
      },
    };
    this.grants.set(intent, { status: 'granted', uses: 0, maxUses, attempts: [], expires });
    this.state.set(`intents/grant/${intent}`, {
      status: 'granted',
      action: 'service.restart',
      resource: 'service/web-3/nginx',
      requester: 'remedy',
      audience,
      effect: digest,
      uses: 0,
      maxUses,
      expires: bounds,
    });
    this.#places.set(intent, this.#leaves.length);
    this.block([leaf]);
    return intent;
  }

  /** Every outcome that the ledger has, by attempt. */
  outcomes(intent: string): string[][] {
    return this.grants.get(intent)?.attempts.map(({ outcomes }) => outcomes) ?? [];
  }

  /** The newest transaction with a record of this type. */
  lastOf(type: string): string {
    const found = this.#leaves.map((leaf) => JSON.parse(decodeUtf8(leaf)) as JsonObject);
    return String(found.findLast((each) => each['type'] === type)?.['tx']);
  }

  idOf(text: string): string {
    return sha256Hex(encodeUtf8(text));
  }

  tx(type: string, by: string, body: JsonObject, expires: number): { id: string; text: string; expires: number } {
    this.#count += 1;
    const text = JSON.stringify({ type, account: by, body, expires, nonce: this.#count });
    return { id: sha256Hex(encodeUtf8(text)), text, expires };
  }

  /** Takes a transaction into a block at once. @throws WeftError as a node does */
  submit(text: string): void {
    const id = sha256Hex(encodeUtf8(text));
    if (!this.#fates.has(id)) {
      const tx = JSON.parse(text) as Tx;
      if (tx.expires <= this.now) throw new WeftError('TX_EXPIRED', 'too late', { final: true });
      const record = this.#apply(tx, id);
      const refused = typeof record['code'] === 'string' ? record['code'] : '';
      this.#places.set(id, this.#leaves.length);
      // As in a real log the record follows its transaction.
      this.#fates.set(id, { refused, index: this.#leaves.length - 1 });
      this.block([record]);
    }
    const fate = this.#fates.get(id)!;
    if (fate.refused !== '') throw new WeftError(fate.refused, 'refused by the ledger', { index: fate.index });
  }

  /** A block with these records, and its record. */
  block(records: readonly JsonObject[]): void {
    this.#height += 1;
    const stateRoot = toHex(this.#tree().root());
    const blockRecord = {
      type: 'block',
      height: this.#height,
      epoch: 1,
      time: this.now,
      parent: '0'.repeat(64),
      stateRoot,
      ruleset: 1,
      policy: { version: 1, digest: '0'.repeat(64) },
      validators: '0'.repeat(64),
    };
    this.#leaves.push(...[...records, blockRecord].map((each) => encodeUtf8(JSON.stringify(each))));
    this.#log = new SampleLog(this.#leaves);
  }

  checkpoint(): string {
    const text = this.#log.body(network);
    const timeS = Math.floor(this.now / 1000);
    return publishCheckpoint({
      text,
      log: signCheckpoint(text, log.key, log.sign),
      cosignatures: cosigners.map((each) => cosign(text, timeS, each.key, each.sign)),
      policy: network.cosigners.map(({ key }) => key),
      quorum: network.trust.quorum,
    })!;
  }

  token(wanted: Wanted): string {
    const index = 'index' in wanted ? wanted.index : this.#places.get('tx' in wanted ? wanted.tx : wanted.intent);
    if (index === undefined) throw new WeftError('TX_UNKNOWN', 'no such transaction');
    return encodeToken({
      leaf: this.#leaves[index]!,
      index,
      hashes: this.#log.inclusion(index),
      checkpoint: this.checkpoint(),
    });
  }

  status(intent: string): string {
    const tree = this.#tree();
    const index = this.#leaves.length - 1;
    const paths = statusPaths({ intent, requester: 'remedy', audience: account });
    return encodeStatus({
      checkpoint: this.checkpoint(),
      leaf: this.#leaves[index]!,
      index,
      hashes: this.#log.inclusion(index),
      entries: paths.map((path) => ({
        path,
        value: (JSON.parse(canonicalJson(this.state.get(path) ?? null)) as Json) ?? null,
        proof: tree.prove(stateKey(sha256, path)),
      })),
    });
  }

  /** An honest node. */
  node(name = 'v1'): LedgerNode {
    return {
      name,
      walk: () => Promise.reject(new WeftError('EPOCH_UNKNOWN', 'one epoch')),
      token: async (wanted) => this.token(wanted),
      status: async (intent) => this.status(intent),
      submit: async (text) => this.submit(text),
      close: () => undefined,
    };
  }

  #tree(): StateTree {
    return StateTree.empty(sha256).update(
      [...this.state].map(
        ([path, value]) => [stateKey(sha256, path), sha256(encodeUtf8(canonicalJson(value)))] as const,
      ),
    );
  }

  #apply(tx: Tx, id: string): JsonObject {
    const head = { height: this.#height + 1, time: this.now, tx: id };
    const refuse = (code: string): JsonObject => ({ type: 'tx.refused', ...head, account: tx.account, code });
    const { grant: intent = '', attempt = '', outcome = '', result = '' } = tx.body;
    const grant = this.grants.get(intent);
    const held = this.state.get(`intents/grant/${intent}`) as { audience: string } | undefined;
    if (grant === undefined || held === undefined) return refuse('GRANT_UNKNOWN');
    const mine = grant.attempts.find((each) => each.attempt === attempt);
    if (tx.type === 'intents.report') {
      if (mine === undefined) return refuse('ATTEMPT_UNKNOWN');
      if (mine.outcomes.length > 0) return refuse('REPORTED_ALREADY');
      mine.outcomes.push(outcome);
      return { type: 'intents.reported', ...head, grant: intent, attempt, outcome, result };
    }
    if (held.audience !== tx.account) return refuse('NOT_AUDIENCE');
    if ((this.state.get('governance/pause/current') as { paused: boolean }).paused) return refuse('INTENTS_PAUSED');
    if (this.now >= grant.expires) return refuse('GRANT_EXPIRED');
    if (mine !== undefined) return refuse('ATTEMPT_REPEATED');
    if (grant.uses >= grant.maxUses) return refuse('GRANT_USED_UP');
    grant.uses += 1;
    grant.attempts.push({ attempt, time: this.now, outcomes: [] });
    this.state.set(`intents/grant/${intent}`, { ...(held as JsonObject), uses: grant.uses });
    return { type: 'intents.consumed', ...head, grant: intent, attempt, account: tx.account, use: grant.uses };
  }
}
