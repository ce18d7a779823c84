import t from 'tap';
import { canaries } from './canaries.ts';
import { runSeed } from './scenario.ts';

for (const canary of canaries) {
  t.test(`${canary.rule}: ${canary.name}`, async (t) => {
    for (let seed = 1; seed <= canary.seedsMax; seed += 1) {
      const outcome = runSeed({ ...canary.options, seed, quirks: canary.quirks });
      if (outcome.error !== undefined && canary.says.test(outcome.error)) {
        t.pass(`seed ${seed}: ${outcome.error}`);
        return;
      }
    }
    t.fail(`not caught within ${canary.seedsMax} seeds`);
  });
}

t.test('the same options without the broken rule pass', async (t) => {
  for (const canary of canaries) {
    const outcome = runSeed({ ...canary.options, seed: 2 });
    t.equal(outcome.error, undefined, canary.name);
  }
});
