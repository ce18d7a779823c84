// Many seeds in a row, and what there is to say about them: the part that worker processes do.
import { byzantineKinds } from './byzantine/index.ts';
import { faultIdeas } from './faults/index.ts';
import type { ScenarioKind } from './plan.ts';
import { runSeed } from './scenario.ts';

export type Batch = { from: number; count: number; kind?: ScenarioKind };

/** Runs in which a fault or liar was drawn, and in which it hurt somebody. */
export type Coverage = Record<string, { drawn: number; acted: number }>;

export type Summary = {
  runs: number;
  failures: { seed: number; error: string }[];
  blocks: number;
  epochs: number;
  actions: number;
  /** Share of its bound that the slowest phase 2 took. */
  slowest: number;
  kinds: Record<string, number>;
  coverage: Coverage;
};

export function emptySummary(): Summary {
  const coverage: Coverage = {};
  for (const { kind } of faultIdeas) coverage[kind] = { drawn: 0, acted: 0 };
  for (const kind of byzantineKinds) coverage[kind] = { drawn: 0, acted: 0 };
  return { runs: 0, failures: [], blocks: 0, epochs: 0, actions: 0, slowest: 0, kinds: {}, coverage };
}

export function runBatch({ from, count, kind }: Batch, onTrace?: (line: string) => void): Summary {
  const summary = emptySummary();
  for (let seed = from; seed < from + count; seed += 1) {
    const outcome = runSeed(seed, kind === undefined ? {} : { kind }, onTrace === undefined ? {} : { onTrace });
    const { plan, effects } = outcome;
    summary.runs += 1;
    summary.blocks += outcome.finalizedBlocks;
    summary.epochs += outcome.epochs;
    summary.actions += outcome.actions;
    summary.kinds[plan.kind] = (summary.kinds[plan.kind] ?? 0) + 1;
    if (outcome.ok) summary.slowest = Math.max(summary.slowest, outcome.phase2Ms / outcome.boundMs);
    else summary.failures.push({ seed, error: outcome.error ?? '' });
    const count = (name: string, acted: boolean): void => {
      const at = summary.coverage[name];
      if (at === undefined) return;
      at.drawn += 1;
      if (acted) at.acted += 1;
    };
    const drawn = new Set(plan.faults.map((fault) => fault.kind));
    for (const { kind: fault, effect } of faultIdeas)
      if (drawn.has(fault)) count(fault, effects.has(`fault ${fault}`) && effects.has(effect));
    for (const liar of new Set(plan.liars.map((each) => each.kind))) count(liar, effects.has(liar));
  }
  return summary;
}

export function addSummary(sum: Summary, more: Summary): void {
  sum.runs += more.runs;
  sum.failures.push(...more.failures);
  sum.blocks += more.blocks;
  sum.epochs += more.epochs;
  sum.actions += more.actions;
  sum.slowest = Math.max(sum.slowest, more.slowest);
  for (const [kind, count] of Object.entries(more.kinds)) sum.kinds[kind] = (sum.kinds[kind] ?? 0) + count;
  for (const [name, { drawn, acted }] of Object.entries(more.coverage)) {
    const at = sum.coverage[name];
    if (at === undefined) continue;
    at.drawn += drawn;
    at.acted += acted;
  }
}
