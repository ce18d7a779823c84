// The grant: the one leaf of the log that gives permission. Its bytes are a format of their own (docs/formats.md §17), read by
// src/token/grant.ts and by verifiers in other languages: members, and their order, are frozen.
import { grantPredicateType, statementType } from '../../src/token/grant.ts';
import { type Effect, type Refusal, type RuleContext, refuse } from '../contract.ts';
import { Draft } from '../draft.ts';
import { isActive } from '../signatures.ts';
import type { BlockContext, LedgerRecord, StateReader } from '../types.ts';
import type { Resolved } from './catalogue.ts';
import { addDue } from './due.ts';
import {
  APPROVERS_MAX,
  changeLive,
  countResting,
  type IntentRecord,
  isPaused,
  letRest,
  liveTargets,
  liveTargetsOf,
  type Moment,
  momentAfter,
  policyInForce,
  putIntent,
  RESTING_OF_REQUESTER_MAX,
  restOf,
  type WaitingIntent,
  waitingPath,
} from './state.ts';
import type { Terms } from './terms.ts';

/** With four validators, names of 32 characters and 2^32 leaves a token then has at most 4 KiB. */
const GRANT_BYTES_MAX = 1280;
/** Policies that a record names. */
export const REASONS_MAX = 8;

/** A permitted intent and all that its grant is made of. */
export type Permitted = {
  /** As it stands in state, or is to: `approvals` are those that count. */
  readonly intent: IntentRecord;
  readonly waiting: WaitingIntent;
  readonly resolved: Resolved;
  readonly terms: Terms;
  readonly reasons: readonly string[];
};

/** What must be so before anybody decides: `INTENTS_PAUSED`, `REQUESTER_INACTIVE`, `AUDIENCE_INACTIVE`. */
export function unable(
  { requester, audience }: Pick<IntentRecord, 'requester' | 'audience'>,
  state: StateReader,
): Refusal | undefined {
  if (isPaused(state)) return refuse('INTENTS_PAUSED');
  if (!isActive(state, requester)) return refuse('REQUESTER_INACTIVE');
  if (!isActive(state, audience)) return refuse('AUDIENCE_INACTIVE');
  return undefined;
}

/** What stands against a grant that policy permits: `TARGET_COOLDOWN`, `BLAST_RADIUS`, `BLAST_RADIUS_EACH`, `RESTING_TOO_MANY`. It may pass. */
function obstacle({ intent, terms }: Permitted, { state, block }: RuleContext): Refusal | undefined {
  const { action, resource, dryRun, targets, requester } = intent;
  // A dry run touches nothing: it neither needs rest nor gives it.
  if (dryRun) return undefined;
  const { granted, acted } = restOf(state, action, resource);
  if (Math.max(granted, acted) > block.time) return refuse('TARGET_COOLDOWN');
  if (liveTargets(state, action) + targets > terms.maxTargets) return refuse('BLAST_RADIUS');
  if (liveTargetsOf(state, action, requester) + targets > terms.maxTargetsEach) return refuse('BLAST_RADIUS_EACH');
  if (terms.cooldownMs > 0 && countResting(state, requester) >= RESTING_OF_REQUESTER_MAX)
    return refuse('RESTING_TOO_MANY');
  return undefined;
}

/** The record and the state of a grant; the caller has seen `unable`. `refused`: what `obstacle` says, `GRANT_TOO_LARGE`. */
export function makeGrant(permitted: Permitted, context: RuleContext): Effect | Refusal {
  const { block, state } = context;
  const against = obstacle(permitted, context);
  if (against !== undefined) return against;
  const { terms } = permitted;
  const intent = granted(permitted, block);
  const record = grantRecord({ ...permitted, intent }, context);
  if (isTooLarge(record)) return refuse('GRANT_TOO_LARGE');
  const draft = new Draft(state);
  putIntent(draft, intent);
  if (permitted.intent.status === 'pending') draft.set(waitingPath(intent.intent), null);
  addDue(draft, { time: intent.expires.time, kind: 'grant', id: intent.intent });
  if (!intent.dryRun) {
    changeLive(draft, intent, intent.targets);
    if (terms.cooldownMs > 0) letRest(draft, intent, 'granted', block.time + terms.cooldownMs);
  }
  return { records: [record], changes: draft.changes };
}

/** As it stands in state once it is granted: what was asked for, as far as the terms go. */
function granted({ intent, waiting, terms }: Permitted, block: BlockContext): IntentRecord {
  return {
    ...intent,
    status: 'granted',
    maxUses: Math.min(waiting.maxUses, terms.maxUses),
    cooldownMs: terms.cooldownMs,
    notBefore: { height: block.height, time: block.time },
    expires: momentAfter(block, Math.min(waiting.ttlMs, terms.ttlMs)),
  };
}

/** True when no grant of this intent could fit, even without approvers: then nobody need be asked. */
export function isTooLargeAnyway(permitted: Permitted, context: RuleContext): boolean {
  const intent = { ...granted(permitted, context.block), approvals: [] };
  return isTooLarge(grantRecord({ ...permitted, intent }, context));
}

/** All texts of a grant are ASCII by their schemas: characters are bytes. */
function isTooLarge(record: LedgerRecord): boolean {
  return JSON.stringify(record).length > GRANT_BYTES_MAX;
}

function grantRecord(
  { intent, waiting, resolved, reasons }: Permitted,
  { state, block, tx }: RuleContext,
): LedgerRecord {
  const { version, digest } = policyInForce(state);
  return {
    _type: statementType,
    subject: [{ name: 'effect', digest: { sha256: intent.effect } }],
    predicateType: grantPredicateType,
    predicate: {
      intent: intent.intent,
      height: block.height,
      time: block.time,
      tx: tx.txId,
      decision: 'allow',
      policy: { version, sha256: digest, reasons: reasons.slice(0, REASONS_MAX) },
      action: intent.action,
      resource: intent.resource,
      limits: { dryRun: intent.dryRun, maxTargets: intent.targets },
      requester: intent.requester,
      audience: intent.audience,
      approvers: intent.approvals.slice(0, APPROVERS_MAX),
      nonce: waiting.nonce,
      maxUses: intent.maxUses,
      reusable: intent.reusable,
      actWithinMs: resolved.actWithinMs,
      notBefore: moment({ height: block.height, time: block.time }),
      expires: moment(intent.expires),
    },
  };
}

/** State reads members back in another order. */
function moment({ height, time }: Moment): { height: number; time: number } {
  return { height, time };
}
