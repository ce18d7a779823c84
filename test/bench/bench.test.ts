import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import type { PointResult } from './result.ts';

const run = promisify(execFile);

t.test('a short run at a low rate commits every transaction that it sends', async (t) => {
  const args = [join(import.meta.dirname, 'main.ts'), '--rate', '20', '--records', '3', '--seconds', '3', '--json'];
  const { stdout } = await run(process.execPath, args, { timeout: 120_000 });
  const { points, validators } = JSON.parse(stdout) as {
    readonly points: readonly PointResult[];
    readonly validators: number;
  };
  t.equal(validators, 4);
  t.equal(points.length, 1);
  const [point] = points;
  t.equal(point?.sent, 60);
  t.equal(point?.committed, 60, JSON.stringify(point));
  t.same(point?.refused, {});
  t.equal(point?.validatorCpuSeconds.length, 4);
  t.equal(point?.loopLagMaxMs?.length, 4);
  t.equal(point?.gcMaxMs?.length, 4);
  t.ok((point?.proposalMs?.p50 ?? 0) > 0 && (point?.proposalMs?.p50 ?? 0) <= (point?.finalityMs.max ?? 0));
  t.ok((point?.finalityMs.p50 ?? 0) > 0 && (point?.finalityMs.p50 ?? 0) <= (point?.finalityMs.max ?? 0));
});

t.test('a wrong flag is named', async (t) => {
  const failed = run(process.execPath, [join(import.meta.dirname, 'main.ts'), '--rate', 'many']);
  await t.rejects(failed, { code: 2, stderr: /--rate takes a number up to 100000, not 'many'/ });
});
