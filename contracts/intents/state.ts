// What the ledger keeps of intents: who may still do what, and what must rest. Grants themselves are in the log only.
import type { IntentRecord } from '../../schemas/types/intent-record.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { sha256Hex } from '../../src/crypto/hash.ts';
import { asJson } from '../contract.ts';
import type { Draft } from '../draft.ts';
import type { BlockContext, StateReader } from '../types.ts';
import type { TypedEffect } from './catalogue.ts';
import { addDue } from './due.ts';

export type { IntentRecord };
export type Moment = { readonly height: number; readonly time: number };

/** How long an intent waits for approvals: what was approved is to be done in the situation that was looked at. */
export const APPROVAL_WINDOW_MS = 15 * 60_000;
/** How long an intent that is over stays in state: outcomes may still be reported, and a status shows how it ended. */
export const KEPT_AFTER_MS = 15 * 60_000;
/** Intents of one requester in state, over or not. */
export const KEPT_OF_REQUESTER_MAX = 256;
/** Approvers that a grant can name. */
export const APPROVERS_MAX = 5;
/** Things that come due in one block; what is over waits for the next one, and is over all the same. */
export const DUE_PER_BLOCK_MAX = 64;

/** What is needed to decide a waiting intent anew, when its last approval comes. */
export type WaitingIntent = TypedEffect & {
  readonly ttlMs: number;
  readonly maxUses: number;
  readonly dryRun: boolean;
  /** The proposing transaction's. */
  readonly nonce: string;
};

export const grantPath = (intent: string): string => `intents/grant/${intent}`;
export const waitingPath = (intent: string): string => `intents/waiting/${intent}`;

export function readIntent(state: StateReader, intent: string): IntentRecord | undefined {
  // State holds at this path what this contract wrote there, and nothing else.
  return state.get(grantPath(intent)) as unknown as IntentRecord | undefined;
}

export function putIntent(draft: Draft, intent: IntentRecord): void {
  draft.set(grantPath(intent.intent), asJson(intent));
}

export function readWaiting(state: StateReader, intent: string): WaitingIntent | undefined {
  return state.get(waitingPath(intent)) as unknown as WaitingIntent | undefined;
}

/**
 * The moment after `ms` milliseconds. Of its two bounds time is the one that is meant: a block each 8 ms is more than any network
 * makes. Height is there for whoever knows no time, and for a chain whose clocks stand still.
 */
export function momentAfter(block: BlockContext, ms: number): Moment {
  return { height: block.height + (ms >>> 3) + 16, time: block.time + ms };
}

export function isReached(moment: Moment, block: BlockContext): boolean {
  return block.height >= moment.height || block.time >= moment.time;
}

export function isPaused(state: StateReader): boolean {
  return (state.get('governance/pause/current') as { readonly paused: boolean } | undefined)?.paused === true;
}

export type PolicyInForce = { readonly version: number; readonly digest: string; readonly minValid: number };

/** Genesis writes it, and nobody deletes it. */
export function policyInForce(state: StateReader): PolicyInForce {
  return state.get('governance/policy/current') as unknown as PolicyInForce;
}

const keptPath = (requester: string): string => `intents/kept/${requester}`;

/** Intents of a requester in state. */
export function countKept(state: StateReader, requester: string): number {
  return (state.get(keptPath(requester)) ?? 0) as number;
}

export function changeKept(draft: Draft, requester: string, by: number): void {
  addTo(draft, keptPath(requester), by);
}

const livePath = (action: string): string => `intents/live/${action}`;

/** Targets of all grants of an action that are in force, dry runs aside. */
export function liveTargets(state: StateReader, action: string): number {
  return (state.get(livePath(action)) ?? 0) as number;
}

/** Neither an action nor an account is a segment of its own beside the other. */
const liveOfPath = (action: string, requester: string): string =>
  `intents/live-of/${sha256Hex(encodeUtf8(`${action} ${requester}`))}`;

/** The same, of the grants of one requester. */
export function liveTargetsOf(state: StateReader, action: string, requester: string): number {
  return (state.get(liveOfPath(action, requester)) ?? 0) as number;
}

export function changeLive(draft: Draft, { action, requester }: Asked, by: number): void {
  addTo(draft, livePath(action), by);
  addTo(draft, liveOfPath(action, requester), by);
}

/** What is counted of an intent, and for whom. */
type Asked = Pick<IntentRecord, 'action' | 'resource' | 'requester'>;

/** A count of none is no value. */
function addTo(draft: Draft, path: string, by: number): void {
  const count = ((draft.get(path) ?? 0) as number) + by;
  draft.set(path, count === 0 ? null : count);
}

/**
 * Targets that may rest for one requester: rests last up to 30 days, longer than the intents that they came of, and all of them share
 * the heap of what comes due. It takes dozens of accounts to fill that.
 */
export const RESTING_OF_REQUESTER_MAX = 256;

const restingPath = (requester: string): string => `intents/resting/${requester}`;

/** Targets that rest because of this requester's grants. */
export function countResting(state: StateReader, requester: string): number {
  return (state.get(restingPath(requester)) ?? 0) as number;
}

/** Until when a resource rests for one action: `granted` counts for new grants, `acted` for acts too. `by`: the requester it counts for. */
type Rest = { readonly granted: number; readonly acted: number; readonly by: string };

/** A resource may have slashes, a segment of a path not. */
function targetKey(action: string, resource: string): string {
  return sha256Hex(encodeUtf8(`${action} ${resource}`));
}

const targetPath = (key: string): string => `intents/target/${key}`;

export function restOf(state: StateReader, action: string, resource: string): Omit<Rest, 'by'> {
  return readRest(state, targetKey(action, resource)) ?? { granted: 0, acted: 0 };
}

function readRest(state: StateReader, key: string): Rest | undefined {
  return state.get(targetPath(key)) as Rest | undefined;
}

/** A grant was made of it (`granted`), or it was acted upon (`acted`): it rests until then. */
export function letRest(
  draft: Draft,
  { action, resource, requester }: Asked,
  what: 'granted' | 'acted',
  until: number,
): void {
  const key = targetKey(action, resource);
  const before = readRest(draft, key);
  if (before === undefined) {
    addDue(draft, { time: until, kind: 'target', id: key });
    addTo(draft, restingPath(requester), 1);
  }
  // Nothing is granted, nor acted upon, before the last rest is over: a new one ends later.
  draft.set(targetPath(key), { granted: 0, acted: 0, by: requester, ...before, [what]: until });
}

/** Its entry came due: it goes, or waits again where it was acted upon meanwhile. */
export function endRest(draft: Draft, key: string, now: number): void {
  const rest = readRest(draft, key);
  if (rest === undefined) return;
  const until = Math.max(rest.granted, rest.acted);
  if (until > now) {
    addDue(draft, { time: until, kind: 'target', id: key });
    return;
  }
  draft.set(targetPath(key), null);
  addTo(draft, restingPath(rest.by), -1);
}
