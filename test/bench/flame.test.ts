import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { flameGraph } from './flameGraph.ts';
import { readProfile } from './profile.ts';
import { sharesOf, solve } from './spent.ts';

const run = promisify(execFile);
const ours = 'file:///somewhere/weft';

/** Functions by id: each with its parent's, outermost first. Each sample stands for the second until the next. */
function madeUp(
  functions: readonly (readonly [parent: number, name: string, url: string])[],
  samples: number[],
): string {
  const nodes = [['(root)', ''] as const, ...functions.map(([, name, url]) => [name, url] as const)].map(
    ([functionName, url], i) => ({
      id: i + 1,
      callFrame: { functionName, url },
      children: functions.flatMap(([parent], child) => (parent === i + 1 ? [child + 2] : [])),
    }),
  );
  return JSON.stringify({ nodes, samples, timeDeltas: samples.map((_, i) => (i === 0 ? 0 : 1e6)) });
}

const profile = madeUp(
  [
    [1, '(idle)', ''], // 2
    [1, '(garbage collector)', ''], // 3
    [1, 'onStreamRead', 'node:internal/stream_base_commons'], // 4
    [4, '#answer', `${ours}/src/rpc/webSocket.ts`], // 5
    [5, 'helper', `${ours}/src/node/turns.ts`], // 6
    [6, 'update', 'node:internal/crypto/hash'], // 7
    [5, 'writev', ''], // 8
    [5, 'write<batch>', `${ours}/node_modules/classic-level/index.js`], // 9
  ],
  [2, 7, 3, 4, 6, 8, 9, 2, 2],
);

t.test('self time goes to the innermost frame that belongs to a component', async (t) => {
  const read = readProfile(profile);
  t.equal(read.micros, 8e6);
  t.equal(read.busyMicros, 6e6);
  const seconds = Object.entries(sharesOf(read)).flatMap(([key, share]) =>
    share > 0 ? [[key, Math.round(6 * share)]] : [],
  );
  t.same(Object.fromEntries(seconds), { hash: 1, collection: 1, network: 1, rpc: 2, store: 1 });
});

t.test('what is cut at either end is not counted, nor half of a sample that lies across', async (t) => {
  t.equal(readProfile(profile, { skipFirst: 1.5 }).busyMicros, 5.5e6);
  t.equal(readProfile(profile, { skipLast: 2 }).busyMicros, 5e6);
  t.equal(readProfile(profile, { skipLast: 2, seconds: 3 }).busyMicros, 3e6);
  t.equal(readProfile(profile, { skipFirst: 5, skipLast: 5 }).micros, 0);
});

t.test('two loads are two equations; what comes out below 0 is 0', async (t) => {
  const few = { blocks: 400, transactions: 500 };
  const many = { blocks: 100, transactions: 10_000 };
  const cost = (load: typeof few, block: number, transaction: number) => ({
    ...load,
    micros: load.blocks * block + load.transactions * transaction,
  });
  const { block, transaction, clamped } = solve(cost(few, 70, 3), cost(many, 70, 3));
  t.same([Math.round(block), Math.round(transaction), clamped], [70, 3, false]);
  t.same(solve({ ...few, micros: 0 }, { ...many, micros: 20_000 }), { block: 0, transaction: 2, clamped: true });
  t.same(solve({ ...few, micros: 800 }, { ...many, micros: 0 }), { block: 2, transaction: 0, clamped: true });
});

t.test('the picture has our frames and what is native at the tip, not the ones of Node between', async (t) => {
  const svg = flameGraph('A & B', readProfile(profile));
  t.match(svg, '<title>A &amp; B</title>');
  t.match(svg, /<title>#answer src\/rpc\/webSocket\.ts\n66\.7 %, 4000 ms, RPC<\/title>/);
  t.match(svg, '<title>write&lt;batch> classic-level\n16.7 %, 1000 ms, store</title>');
  t.match(svg, '<title>writev ');
  t.notMatch(svg, 'onStreamRead');
  t.match(svg, "<title>Node's sockets ");
  t.notMatch(svg, '<script');
});

t.test('the command writes the picture and a table in µs per transaction', async (t) => {
  const dir = t.testdir({ 'made.cpuprofile': profile });
  const flame = join(import.meta.dirname, 'flame.ts');
  const svg = join(dir, 'made.svg');
  const args = [flame, join(dir, 'made.cpuprofile'), '--skip-last', '0', '--transactions', '1000', '--svg', svg];
  const { stdout } = await run(process.execPath, args);
  t.match(stdout, /\| RPC \|[^|]*\| 33\.3 % \| 2000 \|/);
  t.match(readFileSync(svg, 'utf8'), /^<svg /);

  const runs = [
    { rate: 50, blocksPerSecond: 40, committedPerSecond: 50, seconds: 10, committed: 500, mainThreadCpuSeconds: [2] },
    {
      rate: 1000,
      blocksPerSecond: 10,
      committedPerSecond: 1000,
      seconds: 10,
      committed: 10_000,
      mainThreadCpuSeconds: [4],
    },
  ].map((point, i) => {
    const path = join(dir, `${i}.json`);
    writeFileSync(path, JSON.stringify({ points: [point] }));
    return `${dir},${path}`;
  });
  const both = await run(process.execPath, [flame, '--two', '--skip-last', '0', ...runs]);
  t.match(both.stdout, /busy for 6\.00 s, with 3\.20 s of CPU/);
  t.match(both.stdout, /busy for 6\.00 s, with 1\.60 s of CPU/);
  t.match(both.stdout, /\| store \|[^|]*\| [\d.]+ \| [\d.]+ \|/);
  await t.rejects(run(process.execPath, [flame]), { code: 2, stderr: /one profile, please/ });
});
