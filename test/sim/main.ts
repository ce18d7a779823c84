// npm run sim -- --seeds N [--from S] [--trace] [--real]: runs seeds S..S+N−1; the last line is "N passed, M failed".
import { parseArgs } from 'node:util';
import { runRealSeeds } from './real/main.ts';
import { runSeed } from './scenario.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    trace: { type: 'boolean', default: false },
    real: { type: 'boolean', default: false },
  },
});
const seeds = Number(values.seeds);
const from = Number(values.from);
if (!Number.isSafeInteger(seeds) || seeds < 1 || !Number.isSafeInteger(from) || from < 0) {
  process.stderr.write('usage: npm run sim -- --seeds N [--from S] [--trace] [--real]\n');
  process.exit(2);
}
if (values.real) process.exit((await runRealSeeds(from, seeds, values.trace)) === 0 ? 0 : 1);
let failed = 0;
let blocks = 0;
let slowest = 0;
const effects = new Map<string, number>();
const startedMs = performance.now();
for (let seed = from; seed < from + seeds; seed += 1) {
  const outcome = runSeed(seed, {}, values.trace ? { onTrace: (line) => process.stdout.write(`${line}\n`) } : {});
  blocks += outcome.finalizedBlocks;
  for (const [effect, count] of outcome.effects) effects.set(effect, (effects.get(effect) ?? 0) + count);
  if (outcome.ok) slowest = Math.max(slowest, outcome.phase2Ms / outcome.boundMs);
  else {
    failed += 1;
    process.stdout.write(
      `seed ${seed} failed: ${outcome.error}\n  replay: npm run sim -- --seeds 1 --from ${seed} --trace\n`,
    );
  }
}
for (const [effect, count] of [...effects].sort(([a], [b]) => (a < b ? -1 : 1)))
  process.stdout.write(`${effect}: ${count}\n`);
process.stdout.write(
  `${blocks} blocks, ${((performance.now() - startedMs) / seeds).toFixed(1)} ms a seed, slowest healing ${slowest.toFixed(2)} of its bound\n`,
);
process.stdout.write(`${seeds - failed} passed, ${failed} failed\n`);
process.exit(failed === 0 ? 0 : 1);
