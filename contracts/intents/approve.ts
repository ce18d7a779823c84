// People say yes. What they say yes to is decided anew each time: policy, its terms and the state of the network may have changed
// since the proposal.
import type { IntentsApproveBody } from '../../schemas/types/tx/intents.approve.ts';
import { asJson, type RuleContext, recordHead, refuse, rule } from '../contract.ts';
import { Draft } from '../draft.ts';
import { isActive, isSignedByPerson } from '../signatures.ts';
import { resolve } from './catalogue.ts';
import { aboutIntent, decide } from './decide.ts';
import { makeGrant, type Permitted, unable } from './grant.ts';
import { deniedRecord } from './propose.ts';
import {
  grantPath,
  type IntentRecord,
  isReached,
  policyInForce,
  putIntent,
  readIntent,
  readWaiting,
  waitingPath,
} from './state.ts';
import type { ApproverKey } from './terms.ts';

export const approve = rule<IntentsApproveBody>('intents.approve', {
  question({ intent }, context) {
    const found = readIntent(context.state, intent);
    if (found === undefined) return refuse('INTENT_UNKNOWN');
    return aboutIntent(found, {
      approvals: approvalsThatCount(found, context).length,
      userVerified: isSignedByPerson(context.tx),
    });
  },
  apply({ intent }, context) {
    const { state, block, tx } = context;
    const found = readIntent(state, intent);
    const waiting = readWaiting(state, intent);
    if (found === undefined || found.status !== 'pending' || waiting === undefined) return refuse('INTENT_CLOSED');
    if (isReached(found.expires, block)) return refuse('INTENT_EXPIRED');
    const against = unable(found, state);
    if (against !== undefined) return against;
    // Whatever policy says: nobody approves what he asked for, or is to do himself.
    if (tx.account === found.requester || tx.account === found.audience) return refuse('APPROVER_INVOLVED');
    const before = approvalsThatCount(found, context);
    if (before.includes(tx.account)) return refuse('APPROVED_ALREADY');
    const resolved = resolve(waiting, state);
    if ('refused' in resolved) return resolved;
    const { requester, audience } = found;
    const verdict = decide({ requester, audience, waiting, resolved }, context);
    const { version, digest } = policyInForce(state);
    const decided = { ...found, policy: { version, sha256: digest } };
    if (!verdict.permitted) return deny(decided, verdict, context);
    const { approvals: approvalsNeeded, approverKey } = verdict.terms;
    if (approverKey === 'webauthn' && !isSignedByPerson(context.tx)) return refuse('APPROVER_KEY');
    // Those before were asked for less than is asked for now.
    const kept = isStricter(approverKey, found.approverKey) ? [] : before;
    const approved: IntentRecord = { ...decided, approvals: [...kept, tx.account], approvalsNeeded, approverKey };
    const permitted: Permitted = {
      intent: approved,
      waiting,
      resolved,
      terms: verdict.terms,
      reasons: verdict.reasons,
    };
    if (approved.approvals.length >= approvalsNeeded) return makeGrant(permitted, context);
    const record = {
      ...recordHead('intents.approved', context),
      by: tx.account,
      intent,
      approvals: approved.approvals.length,
      approvalsNeeded,
    };
    return { records: [record], changes: new Map([[grantPath(intent), asJson(approved)]]) };
  },
});

/** Whoever was suspended after he approved does not count any more. */
function approvalsThatCount({ approvals }: IntentRecord, { state }: RuleContext): readonly string[] {
  return approvals.filter((account) => isActive(state, account));
}

function isStricter(now: ApproverKey, before: ApproverKey): boolean {
  return now === 'webauthn' && before !== 'webauthn';
}

/** Policy has changed its mind: the intent is over. */
function deny(
  intent: IntentRecord,
  verdict: { readonly reasons: readonly string[]; readonly why: string },
  context: RuleContext,
) {
  const draft = new Draft(context.state);
  putIntent(draft, { ...intent, status: 'denied' });
  draft.set(waitingPath(intent.intent), null);
  return { records: [deniedRecord(intent, verdict, context)], changes: draft.changes };
}
