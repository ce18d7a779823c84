import type { CheckPolicySet } from '../../contracts/types.ts';
import { checkPolicySetHere } from '../policy/check.ts';

/** Undefined when Cedar takes the set, else the code of its refusal. @throws WeftError POLICY_HOST_FAILED */
export const policyVerdict: CheckPolicySet = (document) => {
  const verdict = checkPolicySetHere(document);
  return verdict.ok ? undefined : verdict.code;
};
