import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { measureChain } from './growthCommit.ts';
import { grow } from './growthFolder.ts';

const run = promisify(execFile);

t.test('a chain is made in steps, kept at each of them, and goes on where it ended', async (t) => {
  const dir = t.testdir();
  const told: string[] = [];
  const options = { validators: 4, models: 200, progress: (text: string) => void told.push(text) };
  const first = await grow(dir, { ...options, sizes: [200] });
  t.ok((first.sizes[0]?.entries ?? 0) >= 200);
  // As if it had been interrupted: what is there is not made again.
  const { net, time, sizes } = await grow(dir, { ...options, sizes: [200, 1500] });
  t.equal(net.chain, first.net.chain);
  t.same(sizes[0], first.sizes[0]);
  const [small, large] = sizes;
  t.ok((large?.entries ?? 0) >= 1500 && (large?.entries ?? 0) < 1600);
  t.ok((large?.stateKeys ?? 0) >= (small?.stateKeys ?? 0) + 400, 'two keys a model');
  if (small === undefined) return;
  // Real blocks on a copy: the store that is kept stays as it is.
  const found = await measureChain(dir, { net, time, sizes }, small, () => undefined);
  t.ok(found.blockCpuMs > 0 && found.commitMs.p50 > 0);
  t.same((await grow(dir, { ...options, sizes: [200, 1500] })).sizes, sizes);
  await t.rejects(grow(dir, { ...options, validators: 7, sizes: [200] }), /4 validators/);
  await t.rejects(grow(dir, { ...options, sizes: [200, 300] }), /past 300 entries/);
  rmSync(join(dir, 'chain'), { recursive: true });
});

t.test('whole nodes need no more: nothing of theirs waits for an answer over the network', async (t) => {
  const args = [join(import.meta.dirname, 'wanNodes.ts'), '--sizes', '4', '--seconds', '2', '--delay', '150', '--json'];
  const { stdout } = await run(process.execPath, args, { timeout: 60_000 });
  const { results } = JSON.parse(stdout) as { results: { committed: number; toFinal: { p50: number } }[] };
  const [result] = results;
  t.ok((result?.committed ?? 0) > 20);
  // Virtual milliseconds: the same on every machine.
  t.ok((result?.toFinal.p50 ?? 9) >= 3 && (result?.toFinal.p50 ?? 9) < 3.3, JSON.stringify(result));
});

t.test('the protocol needs three one-way delays from proposal to finalization, on virtual time', async (t) => {
  const args = [join(import.meta.dirname, 'wan.ts'), '--sizes', '4,7', '--blocks', '20', '--json'];
  const { stdout } = await run(process.execPath, args, { timeout: 60_000 });
  const { results } = JSON.parse(stdout) as {
    results: { validators: number; blocks: number; toFinal: { p50: number; p99: number } }[];
  };
  t.equal(results.length, 2);
  for (const { blocks, toFinal } of results) {
    t.ok(blocks >= 20);
    t.ok(toFinal.p50 >= 3 && toFinal.p99 <= 3.15, JSON.stringify(toFinal));
  }
});
