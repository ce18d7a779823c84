// npm run sim -- --seeds N [--from S] [--trace]: runs seeds S..S+N−1; the last line is "N passed, N failed".
import { parseArgs } from 'node:util';
import { runSeed } from './scenario.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    trace: { type: 'boolean', default: false },
  },
});
const seeds = Number(values.seeds);
const from = Number(values.from);
if (!Number.isSafeInteger(seeds) || seeds < 1 || !Number.isSafeInteger(from) || from < 0) {
  process.stderr.write('usage: npm run sim -- --seeds N [--from S] [--trace]\n');
  process.exit(2);
}
let passed = 0;
let blocks = 0;
const failed: number[] = [];
const startedMs = performance.now();
for (let seed = from; seed < from + seeds; seed += 1) {
  const outcome = runSeed({
    seed,
    ...(values.trace && { onTrace: (line: string) => process.stdout.write(`${line}\n`) }),
  });
  blocks += outcome.finalizedBlocks;
  if (outcome.ok) passed += 1;
  else {
    failed.push(seed);
    process.stdout.write(
      `seed ${seed} failed: ${outcome.facts}\n  ${outcome.error}\n  replay: npm run sim -- --seeds 1 --from ${seed} --trace\n`,
    );
  }
  if (values.trace)
    process.stdout.write(`${outcome.facts}: ${outcome.finalizedBlocks} blocks, ${outcome.actions} actions\n`);
}
process.stdout.write(`${blocks} blocks, ${((performance.now() - startedMs) / seeds).toFixed(1)} ms a seed\n`);
process.stdout.write(`${passed} passed, ${failed.length} failed\n`);
process.exit(failed.length === 0 ? 0 : 1);
