/**
 * The safety simulation: every dangerous intent of the library is asked for, for real, and a policy set must refuse it. The other way
 * round, every forbid of the set must be what stands between the network and one danger at least: a forbid that can be taken away
 * without anything getting through is one that nobody would miss when it goes.
 */
import type { Decide } from '../../contracts/types.ts';
import { policyEffects } from '../policy/effects.ts';
import { createPolicyEngine } from '../policy/engine.ts';
import type { PolicyEngine, PolicySetDocument } from '../policy/types.ts';
import type { DangerousIntent } from './library.ts';
import { type Outcome, Stage } from './stage.ts';

export type DangerReport = {
  readonly id: string;
  readonly title: string;
  readonly why: string;
  /**
   * `refused`; `passed`: a request was not refused; `refused by another rule`: the one that the library names is in the set, and was
   * not among those that refuse it.
   */
  readonly verdict: 'refused' | 'passed' | 'refused by another rule';
  /** Which rule should have. */
  readonly expected: string;
  /** Policies, or the code of the ledger's own rule; `nobody permits it` where no forbid was needed. */
  readonly refusedBy: readonly string[];
  /** Of the first request that was not refused: what happened. */
  readonly happened?: readonly string[];
};

export type SimulationReport = {
  readonly digest: string;
  readonly dangers: readonly DangerReport[];
  readonly refused: number;
  readonly passed: readonly string[];
  /** Refused, and not by the rule that should have. */
  readonly byOthers: readonly string[];
  readonly forbids: number;
  /** Forbids of the set without a danger that only they refuse. */
  readonly uncovered: readonly string[];
  /** Policies that the library counts on, and the set does not have, with the dangers that pass without them. */
  readonly missing: readonly { readonly policy: string; readonly passed: readonly string[] }[];
  readonly ok: boolean;
};

export type Progress = (done: number, of: number) => void;

export const nobodyPermits = 'nobody permits it';

/** Set once, asked as often as there are sets. */
export type Rehearsal = { readonly danger: DangerousIntent; readonly stage: Stage };

/** @throws WeftError LIBRARY_INVALID */
export async function rehearse(library: readonly DangerousIntent[], onProgress?: Progress): Promise<Rehearsal[]> {
  const rehearsals: Rehearsal[] = [];
  for (const danger of library) {
    rehearsals.push({ danger, stage: await Stage.set(danger) });
    onProgress?.(rehearsals.length, library.length);
  }
  return rehearsals;
}

/**
 * @param set one that `checkPolicySet` accepts
 * @throws WeftError LIBRARY_INVALID, POLICY_HOST_FAILED
 */
export async function simulate(rehearsals: readonly Rehearsal[], set: PolicySetDocument): Promise<SimulationReport> {
  const engine = createPolicyEngine(set);
  const ids = new Set(set.policies.map(({ id }) => id));
  const asked: Asked[] = [];
  for (const rehearsal of rehearsals) asked.push({ rehearsal, outcomes: await outcomesOf(rehearsal, engine.decide) });
  const dangers = asked.map(({ rehearsal, outcomes }) => reportOf(rehearsal.danger, outcomes, ids));
  const forbids = [...policyEffects(set)].filter(([, effect]) => effect === 'forbid').map(([id]) => id);
  const uncovered = await uncoveredOf(set, forbids, engine, asked);
  const passed = dangers.filter(({ verdict }) => verdict === 'passed').map(({ id }) => id);
  const byOthers = dangers.filter(({ verdict }) => verdict === 'refused by another rule').map(({ id }) => id);
  return {
    digest: engine.digest,
    dangers,
    refused: dangers.length - passed.length - byOthers.length,
    passed,
    byOthers,
    forbids: forbids.length,
    uncovered,
    missing: missingOf(
      asked.map(({ rehearsal }) => rehearsal.danger),
      new Set(passed),
      ids,
    ),
    ok: passed.length === 0 && byOthers.length === 0 && uncovered.length === 0,
  };
}

export function without(set: PolicySetDocument, id: string): PolicySetDocument {
  return { schema: set.schema, policies: set.policies.filter((policy) => policy.id !== id) };
}

type Asked = { readonly rehearsal: Rehearsal; readonly outcomes: readonly Outcome[] };

/** Forbids that can be taken out without anything getting through. */
async function uncoveredOf(
  set: PolicySetDocument,
  forbids: readonly string[],
  engine: PolicyEngine,
  asked: readonly Asked[],
): Promise<string[]> {
  const gone = new Set(forbids);
  let permits: PolicyEngine | undefined;
  const uncovered: string[] = [];
  for (const forbid of forbids) {
    const isAlone = ({ policies }: Outcome): boolean => policies.length === 1 && policies[0] === forbid;
    const candidates = asked.filter(({ outcomes }) => outcomes.some(isAlone));
    if (candidates.length > 0)
      permits ??= createPolicyEngine({ ...set, policies: set.policies.filter(({ id }) => !gone.has(id)) });
    if (permits === undefined || !(await anyPasses(candidates, deciderWithout(forbid, engine, permits))))
      uncovered.push(forbid);
  }
  return uncovered;
}

/**
 * As the set would decide without one forbid, and without an engine for each of them: where it is the only one that holds, the
 * permits are what is left. (The test takes each out for real, and compares.)
 */
function deciderWithout(forbid: string, all: PolicyEngine, permits: PolicyEngine): Decide {
  return (question) => {
    const decision = all.decide(question);
    const { reasons, errors } = decision;
    const alone = decision.decision === 'deny' && !errors && reasons.length === 1 && reasons[0] === forbid;
    return alone ? permits.decide(question) : decision;
  };
}

async function anyPasses(asked: readonly Asked[], decide: Decide): Promise<boolean> {
  for (const { rehearsal } of asked) {
    const outcomes = await outcomesOf(rehearsal, decide);
    if (outcomes.some(({ code }) => code === undefined)) return true;
  }
  return false;
}

async function outcomesOf({ danger, stage }: Rehearsal, decide: Decide): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const [i, request] of danger.requests.entries())
    outcomes.push(await stage.ask(request, decide, `requests[${i}]`));
  return outcomes;
}

/** What a policy set says no with: its decision, or the annotations of what permits. */
const deniedByPolicy: ReadonlySet<string> = new Set(['POLICY_DENIED', 'POLICY_ANNOTATION', 'DRY_RUN_ONLY']);

function reportOf(
  { id, title, why, refusedBy }: DangerousIntent,
  outcomes: readonly Outcome[],
  ids: ReadonlySet<string>,
): DangerReport {
  const expected = expectedOf(refusedBy);
  const through = outcomes.find(({ code }) => code === undefined);
  const rules = [...new Set(outcomes.flatMap(rulesOf))];
  const head = { id, title, why, expected, refusedBy: rules };
  if (through !== undefined) return { ...head, verdict: 'passed', happened: through.records };
  // A set of one's own has rules of its own: then any of them will do, but a rule of the ledger is none of the set's.
  const named = 'code' in refusedBy || ids.has(expected);
  const holds = (outcome: Outcome): boolean =>
    named ? rulesOf(outcome).includes(expected) : deniedByPolicy.has(outcome.code ?? '');
  return { ...head, verdict: outcomes.every(holds) ? 'refused' : 'refused by another rule' };
}

function expectedOf(refusedBy: DangerousIntent['refusedBy']): string {
  if ('policy' in refusedBy) return refusedBy.policy;
  return 'code' in refusedBy ? refusedBy.code : nobodyPermits;
}

function rulesOf({ code, policies }: Outcome): readonly string[] {
  if (code === undefined) return [];
  if (code !== 'POLICY_DENIED') return [code];
  return policies.length > 0 ? policies : [nobodyPermits];
}

function missingOf(
  library: readonly DangerousIntent[],
  passed: ReadonlySet<string>,
  ids: ReadonlySet<string>,
): SimulationReport['missing'] {
  const missing = new Map<string, string[]>();
  for (const { id, refusedBy } of library) {
    if (!passed.has(id) || !('policy' in refusedBy) || ids.has(refusedBy.policy)) continue;
    missing.set(refusedBy.policy, [...(missing.get(refusedBy.policy) ?? []), id]);
  }
  return [...missing].map(([policy, dangers]) => ({ policy, passed: dangers }));
}
