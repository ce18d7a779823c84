/**
 * The one place where a policy question is answered. Rules (the hazards behind them: README.md):
 *
 * 1. Default deny; an erring policy, a request that the schema does not fit, or a module that traps twice is `deny`
 *    with `errors: true`.
 * 2. The answer is a function of (policy set, request). Reasons are sorted, no error text leaves this file, a cached
 *    answer equals a fresh one.
 * 3. A trap or a host error throws the instance away and puts the question once to a fresh one. That one's decision
 *    counts; its trap is `deny`; its host error is no answer at all but `POLICY_HOST_FAILED`, on which the node stops
 *    voting: a machine without memory must not deny what the others allow.
 */
import type { AuthorizationAnswer, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { WeftError } from '../codec/error.ts';
import { sha256Hex } from '../crypto/hash.ts';
import { actionsWithTime } from './blockTime.ts';
import { DecisionCache } from './cache.ts';
import { digestPolicySet } from './document.ts';
import { type CedarInstance, failureOf, openInstance } from './instance.ts';
import { POLICY_LIMITS } from './limits.ts';
import { requestText } from './request.ts';
import type { Decision, PolicyEngine, PolicyRequest, PolicySetDocument } from './types.ts';

export type PolicyEngineOptions = {
  /** Decisions remembered; 0 remembers none. */
  readonly cacheEntriesMax?: number;
  readonly decisionsPerInstanceMax?: number;
};

export type PolicyEngineModules = {
  /** Where instances come from: tests put breaking ones here. */
  readonly open?: () => CedarInstance;
};

/** What has happened inside, for metrics. None of it influences a decision. */
export type PolicyEngineCounts = {
  readonly decisions: number;
  readonly cacheHits: number;
  readonly instances: number;
  readonly failures: number;
};

/**
 * An engine for one policy set. The set is taken as checked (`checkPolicySet`): here only its bounds are checked again
 * and that Cedar can load it.
 * @throws POLICY_SET_INVALID (Cedar cannot load it), POLICY_SET_TRAPPED, POLICY_HOST_FAILED, POLICY_ENGINE_MISMATCH,
 *   and the codes of `digestPolicySet`
 */
export function createPolicyEngine(
  document: PolicySetDocument,
  options: PolicyEngineOptions = {},
  modules: PolicyEngineModules = {},
): PolicyEngine & { counts(): PolicyEngineCounts } {
  const digest = digestPolicySet(document);
  const open = modules.open ?? openInstance;
  const decisionsMax = options.decisionsPerInstanceMax ?? POLICY_LIMITS.decisionsPerInstanceMax;
  const cache = new DecisionCache<Decision>(options.cacheEntriesMax ?? POLICY_LIMITS.cacheEntriesMax);
  const annotations = new Map<string, Readonly<Record<string, string>>>();
  const counts = { decisions: 0, cacheHits: 0, instances: 0, failures: 0 };
  let current: CedarInstance | undefined;
  let decidedByCurrent = 0;

  function fresh(): CedarInstance {
    current = undefined;
    const instance = openOrFail(open);
    counts.instances++;
    decidedByCurrent = 0;
    prepare(instance, () => loadSet(document, instance));
    current = instance;
    return instance;
  }

  function ask(instance: CedarInstance, request: PolicyRequest): Decision {
    decidedByCurrent++;
    return decisionOf(instance.calls.statefulIsAuthorized(callOf(request)), annotations);
  }

  function decideUncached(request: PolicyRequest): Decision {
    const instance = current === undefined || decidedByCurrent >= decisionsMax ? fresh() : current;
    try {
      return ask(instance, request);
    } catch {
      counts.failures++;
    }
    const second = fresh();
    try {
      return ask(second, request);
    } catch (error) {
      current = undefined;
      if (failureOf(error, second) === 'host') throw hostFailed(error);
      counts.failures++;
      return denyWithErrors;
    }
  }

  const first = fresh();
  const { schema, policies } = prepare(first, () => readBack(document, first));
  for (const [id, policy] of policies) annotations.set(id, annotationsOf(policy));
  const timed = actionsWithTime(schema, [...policies.values()]);

  return {
    digest,
    decide(asked) {
      const request = timed.has(asked.action) ? asked : withoutTime(asked);
      // The set's digest need not be in the key: the cache belongs to this engine, and the engine to one set.
      const key = sha256Hex(requestText(request));
      const known = cache.get(key);
      if (known !== undefined) {
        counts.cacheHits++;
        return known;
      }
      const decision = decideUncached(request);
      counts.decisions++;
      cache.set(key, decision);
      return decision;
    },
    counts: () => ({ ...counts }),
  };
}

const denyWithErrors: Decision = Object.freeze({
  decision: 'deny',
  reasons: Object.freeze([]),
  errors: true,
  annotations: Object.freeze({}),
});

function callOf(request: PolicyRequest): Parameters<CedarInstance['calls']['statefulIsAuthorized']>[0] {
  return {
    principal: request.principal,
    action: { type: 'Action', id: request.action },
    resource: request.resource,
    context: request.context as Record<string, never>,
    entities: request.entities as never,
    preparsedSchemaName: 'schema',
    preparsedPolicySetId: 'set',
    validateRequest: true,
  };
}

function decisionOf(
  answer: AuthorizationAnswer,
  annotations: ReadonlyMap<string, Readonly<Record<string, string>>>,
): Decision {
  // Cedar refused the request itself (the schema does not fit it): nobody permitted anything.
  if (answer.type !== 'success') return denyWithErrors;
  const { decision, diagnostics } = answer.response;
  const erring = diagnostics.errors.map(({ policyId }) => policyId);
  const errors = erring.length > 0;
  // Cedar skips a policy that errs, also a forbid: what it would have said is not known, so nothing is permitted, and
  // the policies that erred are (with the forbids that hold) the ones that decided. The permits that hold did not.
  const permitted = decision === 'allow';
  const deciding = errors ? [...erring, ...(permitted ? [] : diagnostics.reason)] : diagnostics.reason;
  const reasons = [...new Set(deciding)].sort(byCodeUnit);
  return Object.freeze({
    decision: permitted && !errors ? 'allow' : 'deny',
    reasons: Object.freeze(reasons),
    errors,
    annotations: Object.freeze(Object.fromEntries(reasons.map((id) => [id, annotations.get(id) ?? {}]))),
  });
}

/** Cedar reports reasons in the order of a randomly seeded hash map: another order in each call. */
function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function loadSet(document: PolicySetDocument, { calls }: CedarInstance): void {
  const staticPolicies = Object.fromEntries(document.policies.map(({ id, text }) => [id, text]));
  for (const answer of [
    calls.preparseSchema('schema', document.schema),
    calls.preparsePolicySet('set', { staticPolicies }),
  ]) {
    if (answer.type !== 'success') {
      throw new WeftError(
        'POLICY_SET_INVALID',
        `Cedar cannot load the set: ${answer.errors[0]?.message ?? 'no reason'}`,
      );
    }
  }
}

/** A step before the first question: here a trap is the set's fault, and a set that traps is not taken. */
function prepare<Result>(instance: CedarInstance, step: () => Result): Result {
  try {
    return step();
  } catch (error) {
    if (error instanceof WeftError) throw error;
    if (failureOf(error, instance) === 'host') throw hostFailed(error);
    throw new WeftError('POLICY_SET_TRAPPED', 'Cedar breaks on this policy set; simplify it');
  }
}

type ReadBack = {
  readonly schema: Parameters<typeof actionsWithTime>[0];
  readonly policies: ReadonlyMap<string, PolicyJson>;
};

/** The set as Cedar understood it. */
function readBack(document: PolicySetDocument, { calls }: CedarInstance): ReadBack {
  const policies = new Map<string, PolicyJson>();
  for (const { id, text } of document.policies) {
    const answer = calls.policyToJson(text);
    if (answer.type !== 'success') throw new WeftError('POLICY_SET_INVALID', `Cedar cannot read back policy ${id}`);
    policies.set(id, answer.json);
  }
  const answer = calls.schemaToJsonWithResolvedTypes(document.schema);
  if (answer.type !== 'success') throw new WeftError('POLICY_SET_INVALID', 'Cedar cannot read back the schema');
  return { schema: answer.json, policies };
}

function annotationsOf(policy: PolicyJson): Readonly<Record<string, string>> {
  // An annotation without a value (`@critical`) is one with an empty value.
  const named = Object.entries(policy.annotations ?? {}).map(([name, value]) => [name, value ?? ''] as const);
  return Object.freeze(Object.fromEntries(named.sort(([a], [b]) => byCodeUnit(a, b))));
}

function withoutTime(request: PolicyRequest): PolicyRequest {
  if (!('time' in request.context)) return request;
  const { time: _, ...context } = request.context;
  return { ...request, context };
}

function openOrFail(open: () => CedarInstance): CedarInstance {
  try {
    return open();
  } catch (error) {
    throw error instanceof WeftError ? error : hostFailed(error);
  }
}

function hostFailed(cause: unknown): WeftError {
  return new WeftError(
    'POLICY_HOST_FAILED',
    `this machine could not put a policy question to Cedar (${String(cause).slice(0, 200)}): the node stops voting; give the process more memory and restart it`,
  );
}
