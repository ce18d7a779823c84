// `node test/bench/all.ts --dir DIR [--quick] [--only NAME,…]`: every figure of docs/performance.md that a network or a chain is needed for,
// one after the other, each as a table (DIR/NAME.txt) and whole (DIR/NAME.json), and the charts. What is there already is not measured again,
// so it can be interrupted. About 40 minutes on two cores with nothing else on them, and it needs 6 GB in DIR.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    dir: { type: 'string' },
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
});
const here = import.meta.dirname;
const quick = values.quick ? ['--quick'] : [];
const growthDir = (dir: string): string => join(dir, 'growth');

/** In the order in which they run: the shortest first. `minutes`: about so many. */
const steps: readonly { readonly name: string; readonly minutes: number; readonly args: (dir: string) => string[] }[] =
  [
    { name: 'wan', minutes: 0.3, args: () => ['wan.ts'] },
    { name: 'wan-jitter', minutes: 0.3, args: () => ['wan.ts', '--jitter', '0.2', '--delay', '100'] },
    { name: 'wan-nodes', minutes: 1, args: () => ['wanNodes.ts'] },
    { name: 'idle', minutes: 1.5, args: () => ['main.ts', '--idle', values.quick ? '30' : '60'] },
    { name: 'delay', minutes: 1, args: () => ['main.ts', '--delay', '50', ...quick] },
    { name: 'subscribers', minutes: 1, args: () => ['main.ts', '--subscribers', '1000', ...quick] },
    { name: 'standard', minutes: 3, args: () => ['main.ts', ...quick] },
    { name: 'against', minutes: 12, args: () => ['main.ts', '--against', 'cometbft', ...quick] },
    { name: 'disk', minutes: 0.3, args: (dir) => ['growth.ts', '--only', 'disk', '--dir', growthDir(dir)] },
    { name: 'networks', minutes: 1.5, args: (dir) => ['growth.ts', '--only', 'networks', '--dir', growthDir(dir)] },
    { name: 'chain', minutes: 12, args: (dir) => ['growth.ts', '--only', 'chain', '--dir', growthDir(dir)] },
  ];

if (values.list || values.dir === undefined) {
  for (const { name, minutes } of steps) process.stdout.write(`${name.padEnd(12)} about ${minutes} min\n`);
  process.exit(values.list ? 0 : 2);
}
const dir = resolve(values.dir);
mkdirSync(dir, { recursive: true });
const wanted = values.only?.split(',');
let failed = 0;
for (const { name, minutes, args } of steps) {
  if (wanted !== undefined && !wanted.includes(name)) continue;
  const [json, text] = [join(dir, `${name}.json`), join(dir, `${name}.txt`)];
  if (existsSync(json)) {
    process.stderr.write(`${name}: there already\n`);
    continue;
  }
  process.stderr.write(`\n${name}: about ${minutes} min\n`);
  const started = performance.now();
  const [file = '', ...rest] = args(dir);
  const { status, stdout } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(here, file), ...rest, '--out', `${json}.part`],
    { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
  );
  const seconds = Math.round((performance.now() - started) / 1000);
  if (status !== 0 || !existsSync(`${json}.part`)) {
    process.stderr.write(`${name}: failed after ${seconds} s (${status})\n`);
    failed += 1;
    continue;
  }
  writeFileSync(text, stdout);
  renameSync(`${json}.part`, json);
  process.stdout.write(`\n## ${name} (${seconds} s)\n\n${stdout}`);
}
const [duel, growth] = [join(dir, 'against.json'), join(dir, 'chain.json')];
const plotted = [...(existsSync(duel) ? ['--duel', duel] : []), ...(existsSync(growth) ? ['--growth', growth] : [])];
if (plotted.length > 0) execFileSync(process.execPath, [join(here, 'plots.ts'), ...plotted, '--out', dir]);
const noisy = steps.filter(({ name }) => {
  const json = join(dir, `${name}.json`);
  return existsSync(json) && /other programs kept/.test(readFileSync(json, 'utf8'));
});
if (noisy.length > 0)
  process.stderr.write(`other programs were busy meanwhile: ${noisy.map(({ name }) => name).join(', ')}\n`);
process.exit(failed === 0 ? 0 : 1);
