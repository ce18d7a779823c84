// An agent says what it wants done, exactly; policy answers at once.
import type { IntentsProposeBody } from '../../schemas/types/tx/intents.propose.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { effectDigest } from '../../src/token/effect.ts';
import { asJson, type Effect, type Refusal, type RuleContext, recordHead, refuse, rule } from '../contract.ts';
import { Draft } from '../draft.ts';
import type { LedgerRecord } from '../types.ts';
import { resolve } from './catalogue.ts';
import { decide, policyOf } from './decide.ts';
import { addDue, countDue, DUE_MAX } from './due.ts';
import { isTooLargeAnyway, makeGrant, type Permitted, unable } from './grant.ts';
import {
  APPROVAL_WINDOW_MS,
  changeKept,
  countKept,
  type IntentRecord,
  KEPT_OF_REQUESTER_MAX,
  momentAfter,
  policyInForce,
  putIntent,
  type WaitingIntent,
  waitingPath,
} from './state.ts';

/** Entries that come due for one intent, its target and what a use of it may add. */
const DUE_OF_INTENT_MAX = 4;

export const propose = rule<IntentsProposeBody>('intents.propose', {
  apply(body, context) {
    const { state, block, tx } = context;
    const { resource, audience, ttlMs, maxUses, dryRun } = body;
    const against = unable({ requester: tx.account, audience }, state);
    if (against !== undefined) return against;
    const resolved = resolve(body, state);
    if ('refused' in resolved) return resolved;
    if (resolved.resource !== resource) return refuse('RESOURCE_DIFFERS');
    if (countKept(state, tx.account) >= KEPT_OF_REQUESTER_MAX) return refuse('INTENTS_TOO_MANY');
    if (countDue(state) > DUE_MAX - DUE_OF_INTENT_MAX) return refuse('INTENTS_FULL');
    const waiting = {
      action: body.action,
      effect: body.effect,
      ttlMs,
      maxUses,
      dryRun,
      nonce: tx.nonce,
    } as WaitingIntent;
    const verdict = decide({ requester: tx.account, audience, waiting, resolved }, context);
    const { version, digest } = policyInForce(state);
    const intent: IntentRecord = {
      intent: tx.txId,
      status: 'pending',
      action: body.action,
      resource,
      host: resolved.host,
      requester: tx.account,
      audience,
      effect: effectDigest(sha256, body.effect),
      policy: { version, sha256: digest },
      approvals: [],
      approvalsNeeded: 0,
      approverKey: 'any',
      maxUses,
      uses: 0,
      attempts: [],
      reusable: resolved.reusable,
      dryRun,
      targets: resolved.targets,
      cooldownMs: 0,
      notBefore: null,
      expires: momentAfter(block, APPROVAL_WINDOW_MS),
    };
    // What was denied at once is in the log; state has nothing to remember.
    if (!verdict.permitted) return { records: [deniedRecord(intent, verdict, context)], changes: new Map() };
    const { approvals, approverKey } = verdict.terms;
    const permitted: Permitted = {
      intent: { ...intent, approvalsNeeded: approvals, approverKey },
      waiting,
      resolved,
      terms: verdict.terms,
      reasons: verdict.reasons,
    };
    return keep(tx.account, approvals === 0 ? makeGrant(permitted, context) : wait(permitted, context), context);
  },
});

/** Counted for its requester as long as state knows it. */
function keep(requester: string, effect: Effect | Refusal, { state }: RuleContext): Effect | Refusal {
  if ('refused' in effect) return effect;
  const draft = new Draft(state);
  changeKept(draft, requester, 1);
  return { records: effect.records, changes: new Map([...effect.changes, ...draft.changes]) };
}

function wait(permitted: Permitted, context: RuleContext): Effect | Refusal {
  if (isTooLargeAnyway(permitted, context)) return refuse('GRANT_TOO_LARGE');
  const { intent, waiting } = permitted;
  const draft = new Draft(context.state);
  putIntent(draft, intent);
  draft.set(waitingPath(intent.intent), asJson(waiting));
  addDue(draft, { time: intent.expires.time, kind: 'pending', id: intent.intent });
  const record = {
    ...recordHead('intents.pending', context),
    ...namedIn(intent),
    policy: policyOf(context, permitted.reasons),
    approvalsNeeded: intent.approvalsNeeded,
    approverKey: intent.approverKey,
    expires: intent.expires.time,
  };
  return { records: [record], changes: draft.changes };
}

/** A record of a denial; no state is changed by making it. */
export function deniedRecord(
  intent: IntentRecord,
  { reasons, why }: { readonly reasons: readonly string[]; readonly why: string },
  context: RuleContext,
): LedgerRecord {
  return { ...recordHead('intents.denied', context), ...namedIn(intent), policy: policyOf(context, reasons), why };
}

function namedIn({ intent, action, resource, effect, requester, audience }: IntentRecord) {
  return { intent, action, resource, effect, requester, audience };
}
