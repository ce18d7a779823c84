// The one question about an intent, asked in its requester's name when it is proposed and again at each approval: a grant is always
// a decision of the policy set in force when it is made.

import { accountUid, targetUid } from '../authorisation.ts';
import type { Question, RuleContext } from '../contract.ts';
import type { Resolved } from './catalogue.ts';
import { REASONS_MAX } from './grant.ts';
import { type IntentRecord, policyInForce, type WaitingIntent } from './state.ts';
import { type Terms, termsOf } from './terms.ts';

export type Verdict =
  | { readonly permitted: true; readonly reasons: readonly string[]; readonly terms: Terms }
  | { readonly permitted: false; readonly reasons: readonly string[]; readonly why: DeniedWhy };

export type DeniedWhy = 'POLICY_DENIED' | 'POLICY_ANNOTATION' | 'DRY_RUN_ONLY';

export type Asking = {
  readonly requester: string;
  readonly audience: string;
  readonly waiting: WaitingIntent;
  readonly resolved: Resolved;
};

export function decide(asking: Asking, context: RuleContext): Verdict {
  const decision = context.ask(questionOf(asking));
  const { reasons } = decision;
  if (decision.decision !== 'allow') return { permitted: false, reasons, why: 'POLICY_DENIED' };
  const terms = termsOf(decision);
  if (terms === undefined) return { permitted: false, reasons, why: 'POLICY_ANNOTATION' };
  if (terms.dryRunOnly && !asking.waiting.dryRun) return { permitted: false, reasons, why: 'DRY_RUN_ONLY' };
  return { permitted: true, reasons, terms };
}

function questionOf({ requester, audience, waiting, resolved }: Asking): Question {
  return {
    action: waiting.action,
    principal: requester,
    resource: targetUid(resolved.resource),
    entities: [targetEntity(resolved.resource, resolved.host)],
    context: {
      audience: { __entity: accountUid(audience) },
      ttlMs: waiting.ttlMs,
      maxUses: waiting.maxUses,
      targets: resolved.targets,
      dryRun: waiting.dryRun,
      effect: resolved.context,
    },
  };
}

/** A `Target` stands in no state: its kind is the first segment of its name, its host that of the effect. */
function targetEntity(resource: string, host: string) {
  const kind = resource.slice(0, resource.indexOf('/'));
  return { uid: targetUid(resource), attrs: { kind, host }, parents: [] };
}

/** What policy is asked about a transaction that concerns an intent that is there. */
export function aboutIntent(intent: IntentRecord, context: Question['context']): Question {
  const { resource, host, action, requester, audience } = intent;
  return {
    resource: targetUid(resource),
    entities: [targetEntity(resource, host)],
    context: {
      action,
      requester: { __entity: accountUid(requester) },
      audience: { __entity: accountUid(audience) },
      ...context,
    },
  };
}

/** The members with which records name the decision. */
export function policyOf({ state }: RuleContext, reasons: readonly string[]) {
  const { version, digest } = policyInForce(state);
  return { version, sha256: digest, reasons: reasons.slice(0, REASONS_MAX) };
}
