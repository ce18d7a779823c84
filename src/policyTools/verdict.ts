import { actionNames } from '../../contracts/intents/catalogue.ts';
import { type Terms, termsOf } from '../../contracts/intents/terms.ts';
import type { Decision, PolicyRequest } from '../policy/types.ts';

/** What a policy set says to a question, as far as somebody could tell the difference. */
export type Verdict = {
  readonly decision: 'allow' | 'deny';
  /** Ids of the policies that decided, sorted. */
  readonly policies: readonly string[];
  /** A policy erred: then the answer is deny, and these are the ones that erred. */
  readonly errors?: true;
  /** Of an intent that the policies permit and their annotations do not: `POLICY_ANNOTATION`, `DRY_RUN_ONLY`. */
  readonly why?: string;
  /** Of an intent: on which terms. Life and uses are those of the grant; the bound where less was asked for than is permitted is no matter. */
  readonly terms?: Terms;
};

const intents: ReadonlySet<string> = new Set(actionNames);

export function verdictOf({ action, context }: PolicyRequest, decided: Decision): Verdict {
  const { decision, reasons: policies, errors } = decided;
  if (decision === 'deny') return { decision, policies, ...(errors ? { errors: true } : {}) };
  if (!intents.has(action)) return { decision, policies };
  const terms = termsOf(decided);
  if (terms === undefined) return { decision: 'deny', policies, why: 'POLICY_ANNOTATION' };
  if (terms.dryRunOnly && context['dryRun'] !== true) return { decision: 'deny', policies, why: 'DRY_RUN_ONLY' };
  const ttlMs = Math.min(terms.ttlMs, Number(context['ttlMs']));
  const maxUses = Math.min(terms.maxUses, Number(context['maxUses']));
  return { decision, policies, terms: { ...terms, ttlMs, maxUses } };
}

/**
 * How the second verdict is another one than the first: `deny` and `allow` are where it went, `terms` is an intent that is permitted
 * on other terms. Undefined when nobody could tell the difference, whatever policies decided.
 */
export function flipOf(before: Verdict, after: Verdict): 'deny' | 'allow' | 'terms' | undefined {
  if (before.decision !== after.decision) return after.decision;
  return JSON.stringify(before.terms) === JSON.stringify(after.terms) ? undefined : 'terms';
}
