import { readAlert } from '../../contracts/alerts/state.ts';
import { type IntentRecord, readIntent } from '../../contracts/intents/state.ts';
import { decodeTransaction } from '../../contracts/transaction.ts';
import type { IntentsProposeBody } from '../../schemas/types/tx/intents.propose.ts';
import { WeftError } from '../codec/error.ts';
import { decodeUtf8 } from '../codec/utf8.ts';
import { sha256 } from '../crypto/hash.ts';
import { envelopeOfLeaf, intentDecisions } from '../ledger/leaves.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { effectDigest } from '../token/effect.ts';
import type { AlertList, IntentAnswer, IntentPage, IntentsAsked } from './api.ts';

/** What people and programs are told about intents and alerts: log and state together. It is this node's word; tokens are evidence. */

type PolicyOfRecord = { readonly version: number; readonly sha256: string; readonly reasons: readonly string[] };

/** What the proposal led to at once. */
type Decided = {
  readonly status: 'granted' | 'pending' | 'denied';
  readonly policy: PolicyOfRecord;
  readonly index: number;
  readonly why?: string;
};

/** @throws WeftError INTENT_UNKNOWN (no proposal of this id is here, or it was refused) */
export function intentOf(ledger: Ledger, intent: string): IntentAnswer {
  const found = ledger.transaction(intent);
  const decided = found?.records.map(({ index, leaf }) => decidedOf(index, leaf)).find((each) => each !== undefined);
  const envelope =
    found === undefined ? undefined : envelopeOfLeaf(ledger.entry(found.index)?.leaf ?? new Uint8Array());
  if (found === undefined || decided === undefined || envelope === undefined) {
    throw new WeftError(
      'INTENT_UNKNOWN',
      found?.refused === undefined
        ? `this node knows no intent ${intent}; its id is the transaction id of its proposal`
        : `the proposal ${intent} was refused with ${found.refused}: it became no intent`,
    );
  }
  const { account, body } = decodeTransaction(envelope);
  const { action, resource, effect, audience, ttlMs, maxUses, dryRun } = body as unknown as IntentsProposeBody;
  const kept = readIntent(ledger.state, intent);
  return {
    intent,
    status: kept?.status ?? (decided.status === 'denied' ? 'denied' : 'over'),
    action,
    resource,
    requester: account,
    audience,
    effect: { ...effect },
    digest: effectDigest(sha256, effect),
    dryRun,
    ttlMs,
    maxUses: kept?.maxUses ?? maxUses,
    proposed: { height: found.height, time: found.time, index: found.index },
    decided: {
      index: decided.index,
      version: decided.policy.version,
      reasons: [...decided.policy.reasons],
      why: decided.why ?? '',
    },
    ...keptOf(kept),
  };
}

function keptOf(kept: IntentRecord | undefined) {
  return {
    approvals: [...(kept?.approvals ?? [])],
    approvalsNeeded: kept?.approvalsNeeded ?? 0,
    approverKey: kept?.approverKey ?? 'any',
    uses: kept?.uses ?? 0,
    unreported: kept?.attempts.filter(({ reported }) => !reported).length ?? 0,
    expires: kept?.expires.time ?? 0,
  } as const;
}

function decidedOf(index: number, leaf: Uint8Array): Decided | undefined {
  const record = JSON.parse(decodeUtf8(leaf)) as {
    readonly type?: string;
    readonly policy: PolicyOfRecord;
    readonly why?: string;
    readonly predicate?: { readonly policy: PolicyOfRecord };
  };
  if (record.predicate !== undefined) return { status: 'granted', policy: record.predicate.policy, index };
  if (record.type === 'intents.pending') return { status: 'pending', policy: record.policy, index };
  if (record.type !== 'intents.denied') return undefined;
  return { status: 'denied', policy: record.policy, index, why: record.why ?? '' };
}

/** Decisions looked through for one answer: what is sought may be rare, and the next page goes on where this one ended. */
const lookedAtMax = 256;

/**
 * Those that were decided last, newest first; one that was granted after it had waited stands where it was granted, and may stand on a
 * further page where it began to wait.
 */
export async function intentsOf(ledger: Ledger, asked: IntentsAsked): Promise<IntentPage> {
  const { limit, audience, status, before } = asked;
  const looked = status === undefined ? limit : Math.max(limit, lookedAtMax);
  const newest = (type: string) => ledger.newestRecords(type, looked, before);
  const indices =
    audience === undefined
      ? (await Promise.all(intentDecisions.map(newest))).flat().sort((a, b) => b - a)
      : await ledger.newestDecisionsFor(audience, looked, before);
  const found = new Map<string, IntentAnswer>();
  for (const [n, index] of indices.slice(0, looked).entries()) {
    const leaf = ledger.leaf(index);
    const id = leaf === undefined ? '' : intentIn(leaf);
    const kept = readIntent(ledger.state, id);
    // Only what state knows can be granted or wait: what is over costs one look.
    const passedOver = found.has(id) || (status !== undefined && kept?.status !== status);
    // Its proposal may have been pruned.
    if (!passedOver && ledger.transaction(id) !== undefined) found.set(id, intentOf(ledger, id));
    const more = n + 1 < indices.length || indices.length >= looked;
    if (found.size >= limit || n + 1 >= looked)
      return { intents: [...found.values()], ...(more ? { next: index } : {}) };
  }
  return { intents: [...found.values()] };
}

/** Looked through for those that wait still: no more wait, unless four accounts and more have as many as each may. */
const waitingMax = 1024;

/**
 * Those that wait for approvals. Whoever asks for much, or is denied a hundred times a minute, keeps nobody's request from the eyes of
 * those who approve: each requester's newest comes before anybody's second.
 */
export async function waitingOf(ledger: Ledger, limit: number): Promise<IntentAnswer[]> {
  const counts = new Map<string, number>();
  const turns: string[][] = [];
  for (const index of await ledger.newestRecords('intents.pending', waitingMax)) {
    const leaf = ledger.leaf(index);
    const kept = leaf === undefined ? undefined : readIntent(ledger.state, intentIn(leaf));
    if (kept?.status !== 'pending') continue;
    const turn = counts.get(kept.requester) ?? 0;
    counts.set(kept.requester, turn + 1);
    const others = turns[turn];
    if (others === undefined) turns.push([kept.intent]);
    else others.push(kept.intent);
  }
  const ids = turns.flat().slice(0, limit);
  return ids.flatMap((id) => (ledger.transaction(id) === undefined ? [] : [intentOf(ledger, id)]));
}

function intentIn(leaf: Uint8Array): string {
  const { intent, predicate } = JSON.parse(decodeUtf8(leaf)) as { intent?: string; predicate?: { intent: string } };
  return predicate?.intent ?? intent ?? '';
}

const alertsMax = 1024;

/** Open ones, newest first; of those that the log alone has, none. */
export async function alertsOf(ledger: Ledger): Promise<AlertList> {
  const indices = await ledger.newestRecords('alerts.raised', alertsMax);
  return indices.flatMap((index) => {
    const leaf = ledger.entry(index)?.leaf;
    if (leaf === undefined) return [];
    const { alert } = JSON.parse(decodeUtf8(leaf)) as { readonly alert: string };
    const open = readAlert(ledger.state, alert);
    return open === undefined ? [] : [{ ...open, index }];
  });
}
