import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { DiskGuard, freeBytesOf, probeDisk } from '../../src/node/diskGuard.ts';

function makeGuard(minFreeBytes = 1000) {
  const world = { now: 0, free: 10_000 as number | Error, refuses: '', opens: true, failsOpened: '' };
  const said: string[] = [];
  const guard: DiskGuard = new DiskGuard(
    { folder: '/data', minFreeBytes, everyMs: 100 },
    {
      freeBytes: async () => {
        if (typeof world.free !== 'number') throw world.free;
        return world.free;
      },
      probe: async () => {
        said.push(`probe ${world.now}`);
        if (world.refuses !== '') throw Object.assign(new Error(world.refuses), { code: world.refuses });
      },
      stop: (code) => said.push(`stop ${code}`),
      resume: async () => {
        said.push('resume');
        if (world.failsOpened !== '') guard.failed(world.failsOpened);
        if (!world.opens) throw new Error('not yet');
      },
      log: { debug() {}, info() {}, warn: (_, message) => said.push(message), error() {} },
      monotonicMs: () => world.now,
    },
  );
  const at = async (ms: number): Promise<string[]> => {
    world.now = ms;
    await guard.look();
    return said.splice(0);
  };
  return { guard, world, at };
}

t.test('below the watermark it stops once; a quarter more than that, and a probe, begin again', async (t) => {
  const { guard, world, at } = makeGuard();
  t.same(await at(0), []);
  world.free = 999;
  t.same(await at(100), ['stop DISK_FULL']);
  t.same(await at(200), [], 'once');
  world.free = 1249;
  t.same(await at(400), []);
  world.free = 1250;
  t.same(await at(500), ['probe 500', 'resume']);
  t.same([guard.stops, guard.freeBytes], [1, 1250]);
  world.free = 10;
  t.same(await at(600), ['stop DISK_FULL']);
});

t.test('a write that failed: each attempt that fails doubles the wait, up to a minute', async (t) => {
  const { guard, world, at } = makeGuard();
  guard.failed('DISK_FAILED');
  world.refuses = 'EIO';
  const tries: number[] = [];
  for (let ms = 0; ms <= 400_000; ms += 100)
    if ((await at(ms)).some((line) => line.startsWith('probe'))) tries.push(ms);
  const waits = tries.slice(1).map((ms, i) => ms - (tries[i] ?? 0));
  t.same(waits.slice(0, 4), [200, 400, 800, 1600]);
  t.equal(Math.max(...waits), 60_000);
  world.refuses = '';
  world.opens = false;
  t.match(await at(500_000), ['probe 500000', 'resume', /not ready/]);
  world.opens = true;
  t.match(await at(600_000), ['probe 600000', 'resume']);
  guard.failed('DISK_FULL');
  t.same(await at(600_100), [], 'a disk that fails again at once is trusted more slowly');
  t.same((await at(700_000)).slice(-1), ['resume']);
});

t.test('a node that fails again while it is being opened: it is opened once more, and later', async (t) => {
  const { guard, world, at } = makeGuard();
  guard.failed('DISK_FULL');
  world.failsOpened = 'DISK_FAILED';
  const tries: number[] = [];
  for (let ms = 0; ms <= 3000; ms += 100) if ((await at(ms)).includes('resume')) tries.push(ms);
  t.same(tries, [100, 300, 700, 1500]);
  world.failsOpened = '';
  t.same((await at(5000)).slice(-1), ['resume']);
  t.same(await at(200_000), [], 'then it has come back');
});

t.test('without a watermark, or where the system does not say, only a write that fails stops', async (t) => {
  const off = makeGuard(0);
  off.world.free = 0;
  t.same(await off.at(0), []);
  const unknown = makeGuard();
  unknown.world.free = new Error('ENOSYS');
  t.same((await unknown.at(0)).length, 1, 'said once');
  t.same(await unknown.at(100), []);
  t.equal(unknown.guard.freeBytes, undefined);
  unknown.guard.failed('DISK_FULL');
  t.same((await unknown.at(5000)).slice(-1), ['resume']);
});

t.test('the real disk has room, and a probe leaves nothing behind', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-probe-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  t.ok((await freeBytesOf(dir)) > 0);
  await probeDisk(dir);
  t.same(readdirSync(dir), []);
  await t.rejects(probeDisk(join(dir, 'none')), { code: 'ENOENT' });
});
