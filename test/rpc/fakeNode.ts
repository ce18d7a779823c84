// biome-ignore-all lint/suspicious/noExplicitAny: answers of a server under test are looked into freely

import { createHash } from 'node:crypto';
import { WeftError } from '../../src/codec/error.ts';
import { consensusDefaults } from '../../src/ledger/consensusDefaults.ts';
import type {
  AlertList,
  BlockSummary,
  GovernanceStatus,
  IntentAnswer,
  NodeApi,
  NodeEvent,
  NodeStatus,
  Subscription,
  TxStatus,
} from '../../src/node/api.ts';

/** A node without a ledger: answers from maps that a test fills, and fires events when told. */
export type FakeNode = NodeApi & {
  readonly transactions: Map<string, TxStatus>;
  readonly submitted: string[];
  /** Thrown by the next submits, in order; `undefined` admits. */
  readonly submitErrors: (WeftError | undefined)[];
  /** The council's agenda. */
  readonly proposals: GovernanceStatus['proposals'][number][];
  readonly knownIntents: IntentAnswer[];
  readonly openAlerts: AlertList[number][];
  fire(event: NodeEvent): void;
  finalize(id: string, refused?: string): void;
  subscribers(): number;
  /** `uncovered`: so many times more a token is not covered by a checkpoint yet. */
  readonly flags: { ready: boolean; healthy: boolean; checkpoint: boolean; internal: boolean; uncovered: number };
  /** How long somebody was ready to wait for a checkpoint, each time. */
  readonly waitedMs: number[];
  /** Entries that were brought into memory before somebody asked for them. */
  readonly warmed: { readonly index: number; readonly proof: boolean }[];
};

export const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

export function fakeBlock(height: number): BlockSummary {
  return {
    height,
    blockId: hash(`block ${height}`),
    epoch: 1,
    view: height,
    time: 1_763_712_000_000 + height,
    proposer: 'v1',
    transactions: 1,
    logSize: height * 3 + 1,
    logRoot: hash(`log ${height}`),
    stateRoot: hash(`state ${height}`),
  };
}

export const checkpointText =
  'weft-test-000000000000/weft\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n— weft AAAA\n';
export const leafText = '{"type":"genesis","text":"ümläut"}';

export const fakeParameters = consensusDefaults;

/** A proposal on the agenda, two of whose next validators are not ready. */
export function fakeProposal(over: Partial<GovernanceStatus['proposals'][number]> = {}) {
  return {
    proposal: hash('proposal'),
    proposer: 'council',
    kind: 'validators',
    change: { kind: 'validators', set: [{ name: 'v5' }], remove: ['v2'] },
    status: 'open' as const,
    approvals: ['v1'],
    readyNeeded: 3,
    ready: ['v1', 'v3'],
    missing: ['v4', 'v5'],
    obstacle: '',
    height: 11,
    notBefore: 0,
    expires: 1_763_798_400_000,
    ...over,
  };
}

/** An intent that waits for two. */
export function fakeIntent(over: Partial<IntentAnswer> = {}): IntentAnswer {
  return {
    intent: hash('intent'),
    status: 'pending',
    action: 'service.restart',
    resource: 'service/web-3/nginx',
    requester: 'healer',
    audience: 'actuator-web-1',
    effect: { host: 'web-3', service: 'nginx' },
    digest: hash('effect'),
    dryRun: false,
    ttlMs: 60_000,
    maxUses: 1,
    proposed: { height: 11, time: 1_763_712_000_000, index: 30 },
    decided: { index: 31, version: 1, reasons: ['intents.repair-by-operator'], why: '' },
    approvals: ['warden'],
    approvalsNeeded: 2,
    approverKey: 'any',
    uses: 0,
    unreported: 0,
    expires: 1_763_712_900_000,
    ...over,
  };
}

export function fakeNode(): FakeNode {
  const transactions = new Map<string, TxStatus>();
  const submitted: string[] = [];
  const submitErrors: (WeftError | undefined)[] = [];
  const listeners = new Set<{ subscription: Subscription; listener: (event: NodeEvent) => void }>();
  const waiters = new Map<string, Set<(status: TxStatus) => void>>();
  const proposals: GovernanceStatus['proposals'][number][] = [];
  const knownIntents: IntentAnswer[] = [];
  const openAlerts: AlertList[number][] = [];
  const flags = { ready: true, healthy: true, checkpoint: true, internal: false, uncovered: 0 };
  const waitedMs: number[] = [];
  const warmed: { readonly index: number; readonly proof: boolean }[] = [];
  const newest = fakeBlock(12);
  const statusOf = (id: string): TxStatus => transactions.get(id) ?? { status: 'unknown', id };
  const fire = (event: NodeEvent): void => {
    for (const { subscription, listener } of [...listeners]) {
      if (subscription.topic !== event.topic) continue;
      if (subscription.topic === 'tx' && event.topic === 'tx' && subscription.id !== event.status.id) continue;
      listener(event);
    }
  };
  return {
    transactions,
    submitted,
    submitErrors,
    flags,
    waitedMs,
    warmed,
    proposals,
    knownIntents,
    openAlerts,
    fire,
    finalize(id, refused) {
      const status: TxStatus = {
        status: 'finalized',
        id,
        height: 13,
        time: 1_763_712_000_013,
        index: 40,
        records: [{ index: 41, record: { type: refused === undefined ? 'packets.committed' : 'tx.refused' } }],
        ...(refused === undefined ? {} : { refused }),
      };
      transactions.set(id, status);
      for (const resolve of waiters.get(id) ?? []) resolve(status);
      fire({ topic: 'tx', status });
    },
    subscribers: () => listeners.size,
    status: (): NodeStatus => {
      if (flags.internal) throw new TypeError('a secret of our insides');
      return {
        name: 'v1',
        version: '0.1.0',
        chain: 'weft-test-000000000000',
        origin: 'weft-test-000000000000/weft',
        genesisHash: hash('genesis'),
        role: 'validator',
        ruleset: 1,
        epoch: 1,
        view: 12,
        leader: 'v2',
        finalized: {
          height: newest.height,
          view: newest.view,
          blockId: newest.blockId,
          time: newest.time,
          logSize: newest.logSize,
          logRoot: newest.logRoot,
          stateRoot: newest.stateRoot,
        },
        catchingUp: false,
        behind: 0,
        notVoting: '',
        validators: [{ name: 'v1', connected: true, heardMs: null }],
        quorum: 1,
        mempool: { transactions: transactions.size, bytes: 0 },
        logKey: 'weft-test-000000000000/weft+00000000+AQ',
        cosigner: null,
        finalityMs: { p50: 12.5, p99: null },
        evidence: { found: 0, recorded: 0 },
        policy: { version: 1, digest: hash('policy') },
      };
    },
    submit: async (envelope) => {
      const error = submitErrors.shift();
      if (error !== undefined) throw error;
      const text = new TextDecoder().decode(envelope);
      submitted.push(text);
      const id = hash(text);
      if (!transactions.has(id)) transactions.set(id, { status: 'pending', id });
      return statusOf(id);
    },
    transaction: statusOf,
    wait: (id, timeoutMs) =>
      new Promise((resolve) => {
        const now = statusOf(id);
        if (now.status === 'finalized' || now.status === 'expired') return resolve(now);
        const set = waiters.get(id) ?? new Set();
        waiters.set(id, set);
        const timer = setTimeout(() => {
          set.delete(done);
          resolve(statusOf(id));
        }, timeoutMs);
        timer.unref();
        const done = (status: TxStatus): void => {
          clearTimeout(timer);
          set.delete(done);
          resolve(status);
        };
        set.add(done);
      }),
    block: (which) => {
      if (typeof which === 'number') return which <= newest.height ? fakeBlock(which) : undefined;
      for (let height = 0; height <= newest.height; height++)
        if (fakeBlock(height).blockId === which) return fakeBlock(height);
      return undefined;
    },
    entry: (index) => (index === 0 ? { index, leaf: new TextEncoder().encode(leafText), height: 0 } : undefined),
    warm: async (index, proof) => void warmed.push({ index, proof }),
    closing: (epoch) => (epoch === 1 ? checkpointText : undefined),
    published: (timeoutMs) => {
      waitedMs.push(timeoutMs);
      return Promise.resolve();
    },
    checkpoint: () => (flags.checkpoint ? checkpointText : undefined),
    token: (which) => {
      if (flags.uncovered > 0) {
        flags.uncovered -= 1;
        throw new WeftError('CHECKPOINT_NOT_YET', 'no checkpoint covers it yet');
      }
      if ('index' in which) return `weft-token/v1\nindex ${which.index}\n`;
      if ('intent' in which) return `weft-token/v1\nintent ${which.intent}\n`;
      if (which.record === undefined) {
        throw new WeftError('TOKEN_RECORD_AMBIGUOUS', 'the transaction has 2 records; say which with record', {
          indices: '41,42',
        });
      }
      return `weft-token/v1\ntx ${which.tx} ${which.record}\n`;
    },
    tokenStatus: (intent) => `{"format":"weft-status/v1","of":"${intent}"}`,
    stateProof: (paths) => `{"format":"weft-status/v1","of":${JSON.stringify(paths)}}`,
    walk: (epoch) => `{"format":"weft-walk/v1","from":${epoch}}`,
    state: (path, withProof) => ({
      path,
      value: path === 'governance/pause/current' ? { paused: false } : undefined,
      height: newest.height,
      stateRoot: newest.stateRoot,
      ...(withProof ? { proof: { siblings: [] } } : {}),
    }),
    tile: (path) => {
      if (path === 'tile/0/000') return { bytes: new Uint8Array(8192).fill(7), full: true };
      if (path === 'tile/0/001.p/3') return { bytes: new Uint8Array(96), full: false };
      if (path === 'tile/entries/000') return { bytes: new TextEncoder().encode(leafText.repeat(200)), full: true };
      return undefined;
    },
    trust: () => '# weft trust\nquorum V\n',
    genesis: () => new TextEncoder().encode('{"format":"weft/genesis/v1"}'),
    peers: () => [{ name: 'v1', addresses: ['/ip4/127.0.0.1/tcp/7610'] }],
    governance: () => ({
      height: 12,
      time: newest.time,
      epoch: 1,
      ruleset: 1,
      quorum: 3,
      validators: ['v1', 'v2', 'v3', 'v4'].map((name) => ({ name, account: name, url: 'http://127.0.0.1:7611' })),
      observers: [{ name: 'o1' }],
      council: { threshold: 2, members: ['council', 'v1', 'v2'] },
      parameters: { ...fakeParameters },
      proposals: [...proposals],
    }),
    evidence: async () => ({
      recorded: [
        {
          id: 'votes-1-7-v3',
          offender: 'v3',
          kind: 'votes',
          epoch: 1,
          at: 7,
          by: 'v1',
          height: 9,
          index: 30,
        },
      ],
      open: [
        { id: 'cosignatures-1-40-v4', offender: 'v4', kind: 'cosignatures', epoch: 1, at: 40, a: 'AAAA', b: 'AAAB' },
      ],
    }),
    intent: (id) => {
      const found = knownIntents.find(({ intent }) => intent === id);
      if (found !== undefined) return found;
      throw new WeftError('INTENT_UNKNOWN', `this node knows no intent ${id}`);
    },
    // The newest is the last of the list; its place is its index.
    intents: async ({ limit, audience, status, before = Number.MAX_SAFE_INTEGER }) => {
      const found = [...knownIntents.entries()]
        .reverse()
        .filter(([index]) => index < before)
        .filter(([, each]) => (audience ?? each.audience) === each.audience && (status ?? each.status) === each.status);
      const [page, last] = [found.slice(0, limit), found[limit - 1]];
      const more = last !== undefined && found.length > limit;
      return { intents: page.map(([, each]) => each), ...(more ? { next: last[0] } : {}) };
    },
    waitingIntents: async (limit) => knownIntents.filter(({ status }) => status === 'pending').slice(0, limit),
    alerts: async () => [...openAlerts],
    subscribe: (subscription, listener) => {
      const held = { subscription, listener };
      listeners.add(held);
      return () => listeners.delete(held);
    },
    metrics: async () => '# HELP weft_height Height.\nweft_height 12\n',
    healthy: () => flags.healthy,
    ready: () => (flags.ready ? { ready: true, reason: '' } : { ready: false, reason: 'CATCHING_UP' }),
  };
}

/** A JSON-RPC call over fetch: the parsed answer. */
export async function rpc(url: string, method: string, params: unknown = {}): Promise<{ result?: any; error?: any }> {
  return post(url, JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }));
}

export async function post(url: string, body: string | Uint8Array, headers: Record<string, string> = {}): Promise<any> {
  const answer = await fetch(url, {
    method: 'POST',
    body: body as string,
    headers: { 'content-type': 'application/json', ...headers },
  });
  const text = await answer.text();
  return text === '' ? { status: answer.status } : { status: answer.status, ...JSON.parse(text), ...{ text } };
}
