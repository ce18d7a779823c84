// npm run sim -- --seeds N [--from S] [--kind chaos|quiet] [--workers W] [--trace]: runs seeds S..S+N−1 and says what they met; the
// last line is "N passed, M failed". `--shrink SEED` makes a failing seed small; `--plan JSON` runs what it printed; `--canary
// NAME` breaks a rule in all of them; `--real` runs whole nodes on the real ledger (real/).
import { fork } from 'node:child_process';
import { parseArgs } from 'node:util';
import { addSummary, type Batch, emptySummary, runBatch, type Summary } from './batch.ts';
import { canaries } from './canaries/index.ts';
import type { Parts } from './cluster.ts';
import { drawPlan, type Plan, type ScenarioKind, type Shape, scenarioKinds } from './plan.ts';
import { runPlan } from './scenario.ts';
import { shrink } from './shrink.ts';

const batchSeeds = 50;
/** Of the first failures the end of the trace is shown. */
const tracesMax = 3;
const traceLines = 40;

const usage = `usage: npm run sim -- --seeds N [--from S] [--kind ${scenarioKinds.join('|')}] [--workers W] [--trace]
       npm run sim -- --real --seeds N [--from S] [--trace]
       npm run sim -- --shrink SEED [--canary NAME]
       npm run sim -- --plan JSON [--canary NAME] [--trace]
`;

function give(text: string): void {
  process.stdout.write(`${text}\n`);
}

function fail(): never {
  process.stderr.write(usage);
  process.exit(2);
}

function arguments_(): ReturnType<typeof read> {
  try {
    return read();
  } catch {
    fail();
  }
}

function read() {
  return parseArgs({
    options: {
      seeds: { type: 'string', default: '100' },
      from: { type: 'string', default: '1' },
      kind: { type: 'string' },
      workers: { type: 'string', default: '1' },
      trace: { type: 'boolean', default: false },
      shrink: { type: 'string' },
      plan: { type: 'string' },
      canary: { type: 'string' },
      real: { type: 'boolean', default: false },
    },
  }).values;
}

function whole(text: string, least: number): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < least) fail();
  return number;
}

const values = arguments_();
const kind = scenarioKinds.find((each) => each === values.kind);
if (values.kind !== undefined && kind === undefined) fail();
const canary = canaries.find(({ name }) => name === values.canary);
if (values.canary !== undefined && canary === undefined) fail();
const shape: Shape = { ...canary?.shape, ...(kind !== undefined && { kind }) };
const parts: Parts = { ...(canary !== undefined && { quirks: canary.quirks, strict: canary.strict === true }) };
const traced: Parts = values.trace ? { ...parts, onTrace: give } : parts;

if (values.real) {
  const { runRealSeeds } = await import('./real/main.ts');
  process.exit((await runRealSeeds(whole(values.from, 0), whole(values.seeds, 1), values.trace)) === 0 ? 0 : 1);
}
if (values.shrink !== undefined) process.exit(shrinkOne(drawPlan(whole(values.shrink, 0), shape)));
else if (values.plan !== undefined) process.exit(runOne(JSON.parse(values.plan) as Plan));
else await runMany(whole(values.seeds, 1), whole(values.from, 0), whole(values.workers, 1));

function shrinkOne(plan: Plan): number {
  const found = shrink(plan, parts);
  if (found === undefined) {
    give(`seed ${plan.seed} does not fail`);
    return 0;
  }
  const { outcome, runs } = found;
  const small = JSON.stringify(found.plan);
  const broken = canary === undefined ? '' : ` --canary '${canary.name}'`;
  give(`${describe(plan)}\nbecame, after ${runs} runs,\n${describe(found.plan)}\n`);
  const lines: string[] = [];
  runPlan(found.plan, { ...parts, onTrace: (line) => lines.push(line) });
  give(lines.slice(-200).join('\n'));
  give(`\n${outcome.error}\nreplay: npm run sim -- --plan '${small}'${broken} --trace`);
  return 1;
}

function describe(plan: Plan): string {
  const liars = plan.liars.map((liar) => `${liar.machine}:${liar.kind}`).join(' ') || 'none';
  const faults = plan.faults.map(
    (fault) =>
      `${fault.kind}(${fault.machines.join(',')}${fault.amount === 0 ? '' : `; ${fault.amount}`} ${fault.fromMs}–${fault.toMs} ms)`,
  );
  const sizes = plan.sets.map((set) => set.validators.length).join(', ');
  return `  ${plan.machines} machines, validators by epoch: ${sizes}; liars: ${liars}; dead at the end: ${plan.down.join(' ') || 'none'}; ${plan.phase1Ms} ms, ${plan.latency}
  faults: ${faults.join(' ') || 'none'}`;
}

function runOne(plan: Plan): number {
  const outcome = runPlan(plan, traced);
  give(outcome.error ?? `${outcome.finalizedBlocks} blocks, ${outcome.actions} actions`);
  give(outcome.ok ? '1 passed, 0 failed' : '0 passed, 1 failed');
  return outcome.ok ? 0 : 1;
}

async function runMany(seeds: number, from: number, workers: number): Promise<void> {
  const startedMs = performance.now();
  const sum = emptySummary();
  let told = 0;
  const take = (batch: Batch, part: Summary): void => {
    addSummary(sum, part);
    for (const { seed, error } of part.failures) {
      const only = batch.kind === undefined ? '' : ` --kind ${batch.kind}`;
      give(`seed ${seed} failed: ${error}\n  replay: npm run sim -- --seeds 1 --from ${seed}${only} --trace`);
      give(`  make it small: npm run sim -- --shrink ${seed}${only}`);
      if (values.trace || told >= tracesMax) continue;
      told += 1;
      const lines: string[] = [];
      runPlan(drawPlan(seed, shape), { onTrace: (line) => lines.push(line) });
      give(lines.slice(-traceLines).join('\n'));
    }
  };
  if (canary !== undefined) {
    for (let seed = from; seed < from + seeds; seed += 1) {
      const outcome = runPlan(drawPlan(seed, shape), traced);
      sum.runs += 1;
      if (!outcome.ok) sum.failures.push({ seed, error: outcome.error ?? '' });
      if (!outcome.ok) give(`seed ${seed} failed: ${outcome.error}`);
    }
  } else if (workers === 1 || values.trace) {
    for (const batch of batches(seeds, from, kind)) take(batch, runBatch(batch, values.trace ? give : undefined));
  } else await inWorkers(workers, batches(seeds, from, kind), take);
  report(sum, (performance.now() - startedMs) / 1000);
  process.exit(sum.failures.length === 0 ? 0 : 1);
}

function* batches(seeds: number, from: number, only: ScenarioKind | undefined): Generator<Batch> {
  for (let done = 0; done < seeds; done += batchSeeds) {
    const count = Math.min(batchSeeds, seeds - done);
    yield { from: from + done, count, ...(only !== undefined && { kind: only }) };
  }
}

async function inWorkers(
  count: number,
  todo: Generator<Batch>,
  take: (batch: Batch, part: Summary) => void,
): Promise<void> {
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const child = fork(new URL('./worker.ts', import.meta.url), { stdio: 'inherit' });
      let batch: Batch | undefined;
      const next = (): void => {
        const given = todo.next();
        batch = given.done === true ? undefined : given.value;
        if (batch === undefined) child.disconnect();
        else child.send(batch);
      };
      child.on('message', (part: Summary) => {
        if (batch !== undefined) take(batch, part);
        next();
      });
      child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`a worker ended with ${code}`))));
      next();
    });
  await Promise.all(Array.from({ length: count }, one));
}

function report(sum: Summary, seconds: number): void {
  if (sum.runs > 1 && sum.actions > 0) {
    give('runs in which each fault and liar was drawn, and in which it hurt somebody:');
    for (const [name, { drawn, acted }] of Object.entries(sum.coverage)) give(`  ${name.padEnd(16)} ${drawn} ${acted}`);
  }
  const kinds = Object.entries(sum.kinds).map(([name, count]) => `${count} ${name}`);
  give(
    `${kinds.join(', ')}; ${sum.blocks} blocks, ${sum.epochs} epochs, ${sum.actions} actions; slowest healing ${sum.slowest.toFixed(2)} of its bound`,
  );
  give(`${(sum.runs / seconds).toFixed(1)} seeds/s, ${((1000 * seconds) / sum.runs).toFixed(1)} ms a seed`);
  give(`${sum.runs - sum.failures.length} passed, ${sum.failures.length} failed`);
}
