// npm run sim -- --real --seeds N [--from S] [--trace]
import { runReal } from './scenario.ts';

/** Runs seeds from..from+count−1, says which failed and how to replay them, and gives the number of those. */
export async function runRealSeeds(from: number, count: number, trace: boolean): Promise<number> {
  let blocks = 0;
  let transactions = 0;
  let restarts = 0;
  let epochs = 0;
  let failed = 0;
  const startedMs = performance.now();
  for (let seed = from; seed < from + count; seed += 1) {
    const outcome = await runReal({
      seed,
      ...(trace && { onTrace: (line: string) => process.stdout.write(`${line}\n`) }),
    });
    blocks += outcome.blocks;
    transactions += outcome.transactions;
    restarts += outcome.restarts;
    epochs += outcome.epochs;
    if (trace) process.stdout.write(`${outcome.facts}\n`);
    if (outcome.ok) continue;
    failed += 1;
    process.stdout.write(
      `seed ${seed} failed: ${outcome.facts}\n  ${outcome.error}\n  replay: npm run sim -- --real --seeds 1 --from ${seed} --trace\n`,
    );
  }
  const perSeed = ((performance.now() - startedMs) / count).toFixed(0);
  process.stdout.write(
    `${blocks} blocks, ${transactions} transactions, ${restarts} starts of nodes, ${epochs} epochs, ${perSeed} ms a seed\n`,
  );
  process.stdout.write(`${count - failed} passed, ${failed} failed\n`);
  return failed;
}
