import type { Decision, PolicyRequest } from '../policy/types.ts';

/** What a policy set says to a question, as far as somebody could tell the difference. */
export type Verdict = {
  readonly decision: 'allow' | 'deny';
  /** Ids of the policies that decided, sorted. */
  readonly policies: readonly string[];
  /** A policy erred: then the answer is deny, and these are the ones that erred. */
  readonly errors?: true;
};

export function verdictOf(_request: PolicyRequest, { decision, reasons, errors }: Decision): Verdict {
  return { decision, policies: reasons, ...(errors ? { errors: true } : {}) };
}

/** How the second verdict is another one than the first: `deny` and `allow` are where it went. Undefined when it is not. */
export function flipOf(before: Verdict, after: Verdict): 'deny' | 'allow' | undefined {
  return before.decision === after.decision ? undefined : after.decision;
}
