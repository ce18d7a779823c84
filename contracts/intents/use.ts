// What an executor does with a grant on the ledger: it takes a use before it acts, and says afterwards how that ended.
import type { IntentsConsumeBody } from '../../schemas/types/tx/intents.consume.ts';
import type { IntentsReportBody } from '../../schemas/types/tx/intents.report.ts';
import { type Question, type Refusal, type RuleContext, recordHead, refuse, rule } from '../contract.ts';
import { Draft } from '../draft.ts';
import { isActive } from '../signatures.ts';
import { aboutIntent } from './decide.ts';
import {
  type IntentRecord,
  isPaused,
  isReached,
  letRest,
  policyInForce,
  putIntent,
  readIntent,
  restOf,
} from './state.ts';

function aboutGrant(grant: string, { state, tx }: RuleContext): Question | Refusal {
  const found = readIntent(state, grant);
  return found === undefined ? refuse('GRANT_UNKNOWN') : aboutIntent(found, { own: found.audience === tx.account });
}

const closed: { readonly [status in Exclude<IntentRecord['status'], 'granted'>]: string } = {
  pending: 'GRANT_PENDING',
  denied: 'GRANT_DENIED',
  cancelled: 'GRANT_CANCELLED',
  expired: 'GRANT_EXPIRED',
};

export const consume = rule<IntentsConsumeBody>('intents.consume', {
  question: ({ grant }, context) => aboutGrant(grant, context),
  apply({ grant, attempt }, context) {
    const { state, block, tx } = context;
    const found = readIntent(state, grant);
    if (found === undefined) return refuse('GRANT_UNKNOWN');
    if (found.audience !== tx.account) return refuse('NOT_AUDIENCE');
    if (found.status !== 'granted') return refuse(closed[found.status]);
    if (isReached(found.expires, block)) return refuse('GRANT_EXPIRED');
    if (found.policy.version < policyInForce(state).minValid) return refuse('POLICY_SUPERSEDED');
    if (isPaused(state)) return refuse('INTENTS_PAUSED');
    if (!isActive(state, found.requester)) return refuse('REQUESTER_INACTIVE');
    if (found.attempts.some((each) => each.attempt === attempt)) return refuse('ATTEMPT_REPEATED');
    if (found.uses >= found.maxUses) return refuse('GRANT_USED_UP');
    const { action, resource, cooldownMs, dryRun } = found;
    if (!dryRun && restOf(state, action, resource).acted > block.time) return refuse('TARGET_COOLDOWN');
    const use = found.uses + 1;
    const key = tx.signatures[0]?.keyid ?? '';
    const draft = new Draft(state);
    putIntent(draft, {
      ...found,
      uses: use,
      attempts: [...found.attempts, { attempt, key, time: block.time, reported: false }],
    });
    if (!dryRun && cooldownMs > 0) letRest(draft, found, 'acted', block.time + cooldownMs);
    const record = { ...recordHead('intents.consumed', context), grant, attempt, account: tx.account, use };
    return { records: [record], changes: draft.changes };
  },
});

/** Taken as long as state knows the grant, whatever has become of it: what was done cannot be undone by a pause. */
export const report = rule<IntentsReportBody>('intents.report', {
  question: ({ grant }, context) => aboutGrant(grant, context),
  apply({ grant, attempt, outcome, result }, context) {
    const { state, tx } = context;
    const found = readIntent(state, grant);
    if (found === undefined) return refuse('GRANT_UNKNOWN');
    if (found.audience !== tx.account) return refuse('NOT_AUDIENCE');
    const taken = found.attempts.find((each) => each.attempt === attempt);
    if (taken === undefined) return refuse('ATTEMPT_UNKNOWN');
    if (taken.reported) return refuse('REPORTED_ALREADY');
    const draft = new Draft(state);
    const attempts = found.attempts.map((each) => (each.attempt === attempt ? { ...each, reported: true } : each));
    putIntent(draft, { ...found, attempts });
    const record = { ...recordHead('intents.reported', context), grant, attempt, account: tx.account, outcome, result };
    return { records: [record], changes: draft.changes };
  },
});
