// The policy set as the council changes it. A proposal names texts by digest; the set that they make is a document of state.
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { sha256Hex } from '../../src/crypto/hash.ts';
import { digestOfSet } from '../../src/policy/document.ts';
import type { PolicySetDocument } from '../../src/policy/types.ts';
import { asJson, isSorted, type Refusal, refuse } from '../contract.ts';
import type { Draft } from '../draft.ts';
import type { BlockContext, StateReader } from '../types.ts';
import { type Change, type Governed, policyPath, readPolicy } from './state.ts';
import { readText } from './texts.ts';

export type PolicyChange = Extract<Change, { readonly kind: 'policy' }>;

/** At `governance/policy/previous`: the set that the council can go back to without bringing its texts again. */
export type PreviousPolicy = { readonly version: number; readonly digest: string };

export const previousPolicyPath = 'governance/policy/previous';

/** `{schema, policies: [{id, text}]}` of the set in force and of the one before it; no other is in state. */
export function policySetPath(digest: string): string {
  return `governance/policy-set/${digest}`;
}

function readPolicySet(state: StateReader, digest: string): PolicySetDocument | undefined {
  return state.get(policySetPath(digest)) as PolicySetDocument | undefined;
}

/**
 * The set that a change would put in force, with all its texts.
 * @param uploadedBefore height: a text that was uploaded in this block or later does not count. What a new proposal names must
 *   be in the state on which its block is built, so that the set can be checked while the block is prepared
 */
export function documentOf(
  state: StateReader,
  change: PolicyChange,
  uploadedBefore: number = Number.MAX_SAFE_INTEGER,
): PolicySetDocument | Refusal {
  let known: ReadonlyMap<string, string> | undefined;
  const textOf = (digest: string): string | undefined => {
    const uploaded = readText(state, digest);
    if (uploaded !== undefined && uploaded.height < uploadedBefore) return uploaded.text;
    // Digests of up to 512 KiB: only where an upload does not answer.
    known ??= textsInForce(state);
    return known.get(digest);
  };
  const schema = textOf(change.schema);
  if (schema === undefined) return refuse('TEXT_UNKNOWN');
  const policies: { id: string; text: string }[] = [];
  for (const { id, text: digest } of change.policies) {
    const text = textOf(digest);
    if (text === undefined) return refuse('TEXT_UNKNOWN');
    policies.push({ id, text });
  }
  return { schema, policies };
}

/** Texts of the set in force and of the one before, by digest. */
function textsInForce(state: StateReader): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  const previous = state.get(previousPolicyPath) as PreviousPolicy | undefined;
  for (const digest of [readPolicy(state).digest, previous?.digest]) {
    const document = digest === undefined ? undefined : readPolicySet(state, digest);
    if (document === undefined) continue;
    for (const text of [document.schema, ...document.policies.map((policy) => policy.text)])
      texts.set(sha256Hex(encodeUtf8(text)), text);
  }
  return texts;
}

/** Version, digest and minValid after the change. Whether Cedar takes the set is asked elsewhere, and once (`propose`). */
export function policyAfter(
  state: StateReader,
  { height }: BlockContext,
  change: PolicyChange,
  fresh: boolean,
): Governed['policy'] | Refusal {
  if (!isSorted(change.policies.map(({ id }) => id))) return refuse('LIST_UNSORTED');
  const before = readPolicy(state);
  const version = before.version + 1;
  // Lower would bring grants back to life that a change before this one has made void.
  if (change.minValid < before.minValid || change.minValid > version) return refuse('MIN_VALID');
  const document = documentOf(state, change, fresh ? height : undefined);
  if ('refused' in document) return document;
  return { version, digest: digestOfSet(document), minValid: change.minValid };
}

/** Puts the set in force. The one before stays, the one before that leaves state; the log has them all. */
export function writePolicy(
  draft: Draft,
  block: BlockContext,
  change: PolicyChange,
  { version, digest, minValid }: Governed['policy'],
): void {
  const document = documentOf(draft, change);
  // `outcomeOf` found every text a moment ago.
  if ('refused' in document) return;
  const before = readPolicy(draft);
  draft.set(policyPath, { version, digest, minValid, height: block.height });
  // The same set again, to make older grants void: what can be gone back to stays as it is.
  if (digest === before.digest) return;
  const { digest: oldest } = (draft.get(previousPolicyPath) ?? {}) as Partial<PreviousPolicy>;
  if (oldest !== undefined) draft.set(policySetPath(oldest), null);
  draft.set(previousPolicyPath, { version: before.version, digest: before.digest });
  draft.set(policySetPath(digest), asJson(document));
}
