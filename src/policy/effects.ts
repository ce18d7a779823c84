import { WeftError } from '../codec/error.ts';
import { openInstance } from './instance.ts';
import type { PolicySetDocument } from './types.ts';

/**
 * Whether each policy of a set permits or forbids, by id, in the order of the set.
 * @throws WeftError POLICY_SET_INVALID: Cedar cannot read one (`checkPolicySet` says more)
 */
export function policyEffects({ policies }: PolicySetDocument): Map<string, 'permit' | 'forbid'> {
  const { calls } = openInstance();
  return new Map(
    policies.map(({ id, text }) => {
      const answer = calls.policyToJson(text);
      if (answer.type !== 'success') throw new WeftError('POLICY_SET_INVALID', `Cedar cannot read back policy ${id}`);
      return [id, answer.json.effect];
    }),
  );
}
