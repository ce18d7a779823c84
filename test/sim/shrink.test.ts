import t from 'tap';
import { canaries } from './canaries/index.ts';
import { drawPlan, isFair } from './plan.ts';
import { runPlan, runSeed } from './scenario.ts';
import { shrink } from './shrink.ts';

t.test('a failing run becomes small and fails for the same reason', async (t) => {
  for (const name of ['finalize after nullify', 'a quorum one too small']) {
    const { quirks, codes } = canaries.find((each) => each.name === name)!;
    let seed = 1;
    const fails = (): boolean => {
      const { code, plan } = runSeed(seed, {}, { quirks });
      return code !== undefined && codes.includes(code) && plan.faults.length >= 5;
    };
    while (!fails()) seed += 1;
    const plan = drawPlan(seed);
    const small = shrink(plan, { quirks });
    t.ok(small, `${name}: seed ${seed}`);
    if (small === undefined) return;
    t.ok(codes.includes(small.outcome.code ?? ''), small.outcome.error ?? 'no error');
    t.ok(isFair(small.plan));
    t.ok(small.plan.faults.length < plan.faults.length, `${plan.faults.length} → ${small.plan.faults.length} faults`);
    // Some failures need many machines: then at least one less.
    t.ok(small.plan.machines <= Math.max(4, plan.machines - 1), `${plan.machines} → ${small.plan.machines} machines`);
    t.ok(small.plan.phase1Ms < plan.phase1Ms, `${plan.phase1Ms} → ${small.plan.phase1Ms} ms`);
    const again = JSON.parse(JSON.stringify(small.plan)) as typeof small.plan;
    t.equal(runPlan(again, { quirks }).error, small.outcome.error, 'what is printed fails in the same way');
    t.equal(runPlan(again).error, undefined, 'and it is the broken rule that fails');
  }
});

t.test('what does not fail is not made small', async (t) => {
  t.equal(shrink(drawPlan(1)), undefined);
});
