// Which policy set a command is about, and that it may decide at all.
import { WeftError } from '../codec/error.ts';
import type { PolicySetDocument } from '../policy/types.ts';
import { usage } from './output.ts';

export type SetChoice = { readonly dir?: string; readonly rpc?: string };

/**
 * The set of a folder, of a running node, or the default one; checked.
 * @throws WeftError POLICY_* (what `weft policy check` says), RPC_*
 */
export async function chosenSet({ dir, rpc }: SetChoice): Promise<PolicySetDocument> {
  if (dir !== undefined && rpc !== undefined) throw usage('give --dir or --rpc, not both');
  if (rpc !== undefined)
    return checked((await import('./policyShow.ts').then((m) => m.readPolicyInForce(rpc))).document);
  if (dir !== undefined) return checkedFolder(dir);
  const { readDefaultPolicySet } = await import('../policy/defaultSet.ts');
  return checked(readDefaultPolicySet());
}

/** @throws WeftError POLICY_* */
export async function checkedFolder(dir: string): Promise<PolicySetDocument> {
  const { readPolicySetFolder } = await import('../policy/setFolder.ts');
  return checked(readPolicySetFolder(dir));
}

async function checked(set: PolicySetDocument): Promise<PolicySetDocument> {
  const { checkPolicySet } = await import('../policy/check.ts');
  const { policyQuestions } = await import('../../contracts/policyQuestions.ts');
  const verdict = await checkPolicySet(set, policyQuestions);
  if (verdict.ok) return set;
  throw new WeftError(verdict.code, `the set may not decide: ${verdict.message}. weft policy check says where`);
}
