import t from 'tap';
import { canaries } from './canaries/index.ts';
import { runSeed } from './scenario.ts';

for (const canary of canaries) {
  t.test(`${canary.rule}: ${canary.name}`, async (t) => {
    const strict = canary.strict === true;
    for (let seed = 1; seed <= canary.seedsMax; seed += 1) {
      const outcome = runSeed(seed, canary.shape, { quirks: canary.quirks, strict });
      if (outcome.code === undefined || !canary.codes.includes(outcome.code)) continue;
      t.pass(`seed ${seed}: ${outcome.error}`);
      // The same seed with the rule in its place: the alarm is the canary's.
      t.equal(runSeed(seed, canary.shape).error, undefined);
      return;
    }
    t.fail(`not caught within ${canary.seedsMax} seeds`);
  });
}
