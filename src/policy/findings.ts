/**
 * All that can be said of a policy set before anybody is asked to approve it, for people: every error and not the first one, where
 * it stands, and what is sound but cannot be meant. Whether a set may decide is `checkPolicySet`'s to say; nothing here enters a ledger.
 */
import type { DetailedError, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { WeftError } from '../codec/error.ts';
import { checkDocument } from './document.ts';
import { type CedarInstance, openInstance } from './instance.ts';
import { measureSchema } from './schemaSize.ts';
import { type ActionGroups, actionGroups, covers } from './scope.ts';
import type { PolicySetDocument } from './types.ts';

export type Finding = {
  readonly severity: 'error' | 'warning' | 'note';
  readonly code: string;
  /** Absent: the schema. */
  readonly policy?: string;
  readonly message: string;
  /** Offset in the text of the policy (or the schema), in bytes of UTF-8. */
  readonly at?: number;
};

/** What annotations mean to who reads decisions: `undefined` = no such annotation, false = its value does not read. */
export type ReadsAnnotation = (name: string, value: string) => boolean | undefined;

/** In the order of the policies, those of the schema first. @throws WeftError POLICY_ENGINE_MISMATCH */
export function findingsOf(document: PolicySetDocument, readsAnnotation: ReadsAnnotation): Finding[] {
  const found: Finding[] = [];
  try {
    checkDocument(document);
    ask(document, readsAnnotation, openInstance(), found);
  } catch (error) {
    if (error instanceof WeftError && error.code === 'POLICY_ENGINE_MISMATCH') throw error;
    found.push(refusalOf(error));
  }
  const place = new Map(document.policies.map(({ id }, i) => [id, i]));
  const order = ({ policy }: Finding): number => (policy === undefined ? -1 : (place.get(policy) ?? -1));
  return found.sort((a, b) => order(a) - order(b) || (a.at ?? 0) - (b.at ?? 0) || (a.message < b.message ? -1 : 1));
}

function refusalOf(error: unknown): Finding {
  if (!(error instanceof WeftError))
    return { severity: 'error', code: 'POLICY_SET_TRAPPED', message: 'Cedar breaks on this set; simplify it' };
  const policy = /^policy ([a-z][a-z0-9._-]*)/.exec(error.message)?.[1];
  return { severity: 'error', code: error.code, message: error.message, ...(policy === undefined ? {} : { policy }) };
}

function ask(
  { schema, policies }: PolicySetDocument,
  readsAnnotation: ReadsAnnotation,
  { calls }: CedarInstance,
  found: Finding[],
): void {
  const resolved = calls.schemaToJsonWithResolvedTypes(schema);
  if (resolved.type !== 'success') {
    for (const error of resolved.errors) found.push(fromCedar('error', 'POLICY_SCHEMA_INVALID', error));
    return;
  }
  measureSchema(resolved.json);
  const parsed = new Map<string, PolicyJson>();
  for (const { id, text } of policies) {
    const parts = calls.policySetTextToParts(text);
    const json = calls.policyToJson(text);
    if (parts.type === 'success' && (parts.policies.length !== 1 || parts.policy_templates.length !== 0)) {
      const message = 'this is not exactly one policy without slots';
      found.push({ severity: 'error', code: 'POLICY_NOT_ONE_STATIC', policy: id, message });
    } else if (json.type !== 'success')
      for (const error of json.errors) found.push(fromCedar('error', 'POLICY_TEXT_INVALID', error, id));
    else {
      parsed.set(id, json.json);
      found.push(...annotationFindings(id, json.json, readsAnnotation));
    }
  }
  const staticPolicies = Object.fromEntries(
    policies.filter(({ id }) => parsed.has(id)).map(({ id, text }) => [id, text]),
  );
  const answer = calls.validate({ schema, policies: { staticPolicies }, validationSettings: { mode: 'strict' } });
  if (answer.type !== 'success') {
    for (const error of answer.errors) found.push(fromCedar('error', 'POLICY_TEXT_INVALID', error));
    return;
  }
  const wrong = new Set(answer.validationErrors.map(({ policyId }) => policyId));
  for (const { policyId, error } of answer.validationErrors)
    found.push(fromCedar('error', 'POLICY_SET_UNSOUND', error, policyId));
  const impossible = new Set<string>();
  for (const { policyId, error } of answer.validationWarnings) {
    // What is wrong in itself is impossible for that reason; and the reason of an impossible policy needs no second line.
    if (wrong.has(policyId) || impossible.has(policyId)) continue;
    if (error.message.includes('is impossible') || error.message.includes('unable to find an applicable action')) {
      impossible.add(policyId);
      const message = 'this policy can never apply: no request that the schema knows fulfils it';
      found.push({ severity: 'warning', code: 'POLICY_IMPOSSIBLE', policy: policyId, message });
    } else found.push(fromCedar('warning', 'POLICY_DOUBTFUL', error, policyId));
  }
  for (const id of [...wrong, ...impossible]) parsed.delete(id);
  const actions = (resolved.json as Readonly<Record<string, { readonly actions?: unknown }>>)['']?.actions ?? {};
  found.push(...comparisons(parsed, actionGroups(actions as Parameters<typeof actionGroups>[0])));
}

function fromCedar(severity: 'error' | 'warning', code: string, error: DetailedError, policy?: string): Finding {
  const said = error.message.replace(/^for policy `[^`]*`, /, '').replace(/^failed to parse policy from string: /, '');
  const at = error.sourceLocations?.[0]?.start;
  return {
    severity,
    code,
    message: error.help == null ? said : `${said} (${error.help})`,
    ...(policy === undefined ? {} : { policy }),
    ...(at === undefined ? {} : { at }),
  };
}

function annotationFindings(id: string, { effect, annotations }: PolicyJson, reads: ReadsAnnotation): Finding[] {
  const found: Finding[] = [];
  const add = (severity: Finding['severity'], code: string, message: string) =>
    found.push({ severity, code, policy: id, message });
  for (const [name, given] of Object.entries(annotations ?? {})) {
    const value = given ?? '';
    if (name === 'id') {
      if (value !== id)
        add('error', 'POLICY_ID_MISMATCH', `it calls itself ${value}: @id must say the id that records show`);
      continue;
    }
    const answer = reads(name, value);
    if (answer === undefined)
      add('warning', 'POLICY_ANNOTATION_UNKNOWN', `nothing reads @${name}: a slip of the pen bounds nothing`);
    else if (!answer)
      add('error', 'POLICY_ANNOTATION', `@${name}("${value}") does not read: what this policy permits would be denied`);
    else if (effect === 'forbid')
      add('warning', 'POLICY_ANNOTATION_IDLE', `@${name} bounds what a permit allows; a forbid allows nothing`);
  }
  return found;
}

/** Pairs of which one makes the other pointless. */
function comparisons(policies: ReadonlyMap<string, PolicyJson>, groups: ActionGroups): Finding[] {
  const found: Finding[] = [];
  const all = [...policies];
  for (const [i, [id, policy]] of all.entries()) {
    for (const [j, [other, outer]] of all.entries()) {
      if (i === j || !covers(outer, policy, groups)) continue;
      const mutual = covers(policy, outer, groups);
      const [mine, theirs] = [policy.effect, outer.effect];
      if (mine === theirs && mutual) {
        const message = `it says the same as ${other}`;
        if (j < i) found.push({ severity: 'warning', code: 'POLICY_DUPLICATE', policy: id, message });
      } else if (mine === 'permit' && theirs === 'forbid') {
        const [code, message] = mutual
          ? ['POLICY_CONTRADICTION', `it permits just what ${other} forbids, so it never permits anything`]
          : ['POLICY_SHADOWED', `${other} forbids all that it permits, so it never permits anything`];
        found.push({ severity: 'warning', code, policy: id, message });
      } else if (mine === theirs && !bounds(policy)) {
        const more = mine === 'permit' ? 'permits' : 'forbids';
        const message = `${other} ${more} all that it does; it only adds a reason`;
        found.push({ severity: 'note', code: 'POLICY_COVERED', policy: id, message });
      }
    }
  }
  return found;
}

/** The bounds of all policies that permit apply together: one that is covered may still be there for its bounds. */
function bounds({ annotations }: PolicyJson): boolean {
  return Object.keys(annotations ?? {}).some((name) => name !== 'id');
}
