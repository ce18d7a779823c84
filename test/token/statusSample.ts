// A log whose newest leaf is a block record over a state of our choice: what statuses and walks are made of in tests.
import { canonicalJson } from '../../src/codec/canonical.ts';
import { toHex } from '../../src/codec/hex.ts';
import type { Json } from '../../src/codec/json.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { StateTree, stateKey } from '../../src/log/stateTree.ts';
import { encodeStatus, type StatusParts } from '../../src/token/statusForm.ts';
import { SampleLog, type SampleNetwork, sampleEntry, sampleNetwork } from '../log/sample.ts';
import { grantText } from './leaves.ts';

export const intent = '2e6398cd02376ca1d60b4075aadf14497eb3e81d5287bcf1265b90c5fa2f6499';
export const grantTime = 1_763_712_000_123;
/** Index of the grant in every sample log. */
export const grantIndex = 5;

export type SampleState = Readonly<Record<string, Json>>;

/** The state in which `grantText` may be used. */
export const goodState: SampleState = {
  [`intents/grant/${intent}`]: {
    intent,
    status: 'granted',
    action: 'service.restart',
    resource: 'host/web-3/nginx',
    requester: 'remedy.engine',
    audience: 'actuator-web-3',
    effect: '7f1d3b6c0a5e4928d17c66b1f0e2a394857c6d5b4e3f2a1908f7e6d5c4b3a291',
    maxUses: 1,
    uses: 0,
  },
  'governance/policy/current': { version: 3, digest: 'ab'.repeat(32), minValid: 2, height: 700 },
  'governance/pause/current': { paused: false, height: 0 },
  'identity/account/remedy.engine': { account: 'remedy.engine', status: 'active', roles: ['healer'], keys: [] },
  'identity/account/actuator-web-3': { account: 'actuator-web-3', status: 'active', roles: ['executor'], keys: [] },
  'identity/account/other': { account: 'other', status: 'active', roles: [], keys: [] },
  'models/model/misty-7b': { model: 'misty-7b', status: 'authorised', sha256: 'cd'.repeat(32) },
};

export class SampleChain {
  readonly network: SampleNetwork;
  readonly log: SampleLog;
  readonly #values = new Map<string, Json>();
  readonly #tree: StateTree;
  readonly size: number;

  /** `size` leaves: the grant at 5, the block record last. */
  constructor(
    state: SampleState = goodState,
    {
      size = 40,
      network = sampleNetwork(),
      height = 820,
      time = grantTime + 2_000,
      grant = grantText,
      block = {},
    } = {},
  ) {
    this.network = network;
    this.size = size;
    // As a ledger reads it back: canonical JSON, so that members stand sorted.
    for (const [path, value] of Object.entries(state)) this.#values.set(path, JSON.parse(canonicalJson(value)) as Json);
    this.#tree = StateTree.empty(sha256).update(
      [...this.#values].map(([path, value]) => [stateKey(sha256, path), sha256(encodeUtf8(canonicalJson(value)))]),
    );
    const record = {
      type: 'block',
      height,
      epoch: 1,
      time,
      parent: 'ee'.repeat(32),
      stateRoot: toHex(this.#tree.root()),
      ruleset: 1,
      policy: { version: 3, digest: 'ab'.repeat(32) },
      validators: 'dd'.repeat(32),
      ...block,
    };
    this.log = new SampleLog(
      Array.from({ length: size }, (_, n) => {
        if (n === grantIndex) return encodeUtf8(grant);
        return n === size - 1 ? encodeUtf8(JSON.stringify(record)) : sampleEntry(n);
      }),
    );
  }

  parts(paths: readonly string[], change: Partial<StatusParts> = {}): StatusParts {
    const index = this.size - 1;
    return {
      checkpoint: this.log.checkpoint(this.network),
      leaf: this.log.entries[index]!,
      index,
      hashes: this.log.inclusion(index),
      entries: paths.map((path) => ({
        path,
        value: this.#values.get(path) ?? null,
        proof: this.#tree.prove(stateKey(sha256, path)),
      })),
      ...change,
    };
  }

  status(paths: readonly string[], change: Partial<StatusParts> = {}): string {
    return encodeStatus(this.parts(paths, change));
  }
}
