// A failing plan, made smaller while it goes on failing for the same reason: fewer faults, liars, epochs, machines, less time.
import type { Parts } from './cluster.ts';
import type { Fault } from './faults/types.ts';
import type { EpochSet } from './ledger.ts';
import { isFair, type Plan } from './plan.ts';
import { type Outcome, runPlan } from './scenario.ts';

export type Shrunk = { plan: Plan; outcome: Outcome; runs: number };

/** A smaller plan meets other chances, so each is tried with a few. */
const chances = 6;

/** Ends when nothing smaller fails with the same code, or after `runsMax` runs. Undefined: the plan does not fail. */
export function shrink(plan: Plan, parts: Parts = {}, runsMax = 600): Shrunk | undefined {
  let runs = 1;
  let outcome = runPlan(plan, parts);
  if (outcome.ok) return undefined;
  const { code } = outcome;
  const fails = (candidate: Plan): Outcome | undefined => {
    if (!isFair(candidate)) return undefined;
    for (let chance = 0; chance < chances && runs < runsMax; chance += 1) {
      runs += 1;
      const next = runPlan({ ...candidate, seed: candidate.seed + 7_000_003 * chance }, parts);
      if (next.code === code) return next;
    }
    return undefined;
  };
  for (let smaller = true; smaller && runs < runsMax; ) {
    smaller = false;
    for (const candidate of candidates(outcome.plan)) {
      const next = fails(candidate);
      if (next === undefined) continue;
      outcome = next;
      smaller = true;
      break;
    }
  }
  return { plan: outcome.plan, outcome, runs };
}

/** The boldest first. */
function* candidates(plan: Plan): Generator<Plan> {
  const { faults, liars, sets, closeAtMs, phase1Ms } = plan;
  if (faults.length > 0) yield { ...plan, faults: [] };
  if (faults.length > 3) {
    const half = Math.floor(faults.length / 2);
    yield { ...plan, faults: faults.slice(0, half) };
    yield { ...plan, faults: faults.slice(half) };
  }
  if (sets.length > 1) {
    yield { ...plan, sets: sets.slice(0, 1), closeAtMs: [] };
    yield { ...plan, sets: sets.slice(0, -1), closeAtMs: closeAtMs.slice(0, -1) };
  }
  for (const i of liars.keys()) yield { ...plan, liars: without(liars, i) };
  for (const i of faults.keys()) yield { ...plan, faults: without(faults, i) };
  if (plan.down.length > 0) yield { ...plan, down: plan.down.slice(1) };
  if (plan.cutLane.length > 0) yield { ...plan, cutLane: [] };
  for (let machine = plan.machines - 1; machine >= 0; machine -= 1) yield withoutMachine(plan, machine);
  if (phase1Ms > 300) {
    yield shorter(plan, Math.floor(phase1Ms / 2));
    yield shorter(plan, Math.floor((phase1Ms * 3) / 4));
  }
  for (const [i, fault] of faults.entries()) {
    for (const less of lesser(fault)) yield { ...plan, faults: faults.map((each, at) => (at === i ? less : each)) };
  }
  if (plan.latency !== 'lan') yield { ...plan, latency: 'lan' };
  if (plan.kind === 'chaos' && plan.profile !== 0) yield { ...plan, profile: 0 };
  if (plan.txEveryMs < 400) yield { ...plan, txEveryMs: plan.txEveryMs * 2 };
}

function without<T>(list: readonly T[], i: number): T[] {
  return list.filter((_, at) => at !== i);
}

function* lesser(fault: Fault): Generator<Fault> {
  const lastsMs = fault.toMs - fault.fromMs;
  if (lastsMs > 100) yield { ...fault, toMs: fault.fromMs + Math.floor(lastsMs / 2) };
  if (lastsMs > 100) yield { ...fault, fromMs: fault.fromMs + Math.floor(lastsMs / 2) };
  if (fault.machines.length > 1 && fault.kind !== 'ring' && fault.kind !== 'bridge' && fault.kind !== 'deadAndCut') {
    for (const i of fault.machines.keys()) yield { ...fault, machines: without(fault.machines, i) };
  }
}

function shorter(plan: Plan, phase1Ms: number): Plan {
  const faults = plan.faults
    .filter((fault) => fault.fromMs < phase1Ms || fault.kind === 'darkEnd')
    .map((fault) =>
      fault.kind === 'darkEnd'
        ? { ...fault, fromMs: phase1Ms - 1, toMs: phase1Ms - 1 }
        : { ...fault, toMs: Math.min(fault.toMs, phase1Ms) },
    );
  return { ...plan, phase1Ms, faults, closeAtMs: plan.closeAtMs.map((atMs) => Math.min(atMs, phase1Ms - 1)) };
}

/** The machines after it move up. */
function withoutMachine(plan: Plan, gone: number): Plan {
  const moved = (machine: number): number => (machine > gone ? machine - 1 : machine);
  const all = (machines: readonly number[]): number[] => machines.filter((machine) => machine !== gone).map(moved);
  const set = (old: EpochSet): EpochSet => {
    const at = old.validators.findIndex(({ machine }) => machine === gone);
    const validators = old.validators
      .filter(({ machine }) => machine !== gone)
      .map(({ machine, key }) => ({ machine: moved(machine), key }));
    const leaderOrder =
      at < 0 ? old.leaderOrder : old.leaderOrder.filter((i) => i !== at).map((i) => (i > at ? i - 1 : i));
    return { ...old, validators, leaderOrder };
  };
  const faults = plan.faults
    .map((fault) => ({ ...fault, machines: all(fault.machines) }))
    .filter((fault, i) => fault.machines.length > 0 || plan.faults[i]!.machines.length === 0);
  return {
    ...plan,
    machines: plan.machines - 1,
    sets: plan.sets.map(set),
    liars: plan.liars
      .filter(({ machine }) => machine !== gone)
      .map(({ machine, kind }) => ({ machine: moved(machine), kind })),
    faults,
    down: all(plan.down),
    cutLane: plan.cutLane.includes(gone) ? [] : all(plan.cutLane),
  };
}
