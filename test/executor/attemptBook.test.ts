import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { decodeUtf8, encodeUtf8 } from '../../src/codec/utf8.ts';
import { type Attempt, decodeAttempt, encodeAttempt } from '../../src/executor/attempt.ts';
import { AttemptBook } from '../../src/executor/attemptBook.ts';
import { lockFolder } from '../../src/executor/lock.ts';
import { MemoryDisk } from '../ledger/fixtures.ts';
import { startMs } from './ledger.ts';

const open = (disk: MemoryDisk, owner = 'chain/a', rewriteAt?: number) =>
  AttemptBook.open(disk.files, '/x/attempts', owner, rewriteAt);

function attemptOf(n: number, more: Partial<Attempt> = {}): Attempt {
  return {
    attempt: Buffer.alloc(16, n).toString('base64url'),
    grant: n.toString(16).padStart(64, '0'),
    action: 'service.restart',
    effect: 'e'.repeat(64),
    maxUses: 1,
    actWithinMs: 10_000,
    expires: startMs + 60_000,
    local: false,
    state: 'prepared',
    sent: [],
    envelope: '',
    outcome: '',
    result: '',
    closed: '',
    ...more,
  };
}

t.test('what was put is there after a power loss', async (t) => {
  const disk = new MemoryDisk();
  const book = await open(disk);
  await book.put(attemptOf(1), startMs);
  await book.put(attemptOf(2), startMs);
  await book.put(attemptOf(1, { state: 'begun' }), startMs);
  const again = await open(disk.powerLoss());
  t.strictSame(again.all(), book.all());
  t.strictSame(
    again.all().map(({ state }) => state),
    ['begun', 'prepared'],
  );
});

t.test('a tail that was torn off may have said "begun": what was prepared is not done any more', async (t) => {
  for (const cut of [1, 60, 300]) {
    const disk = new MemoryDisk();
    const book = await open(disk);
    await book.put(attemptOf(1), startMs);
    await book.put(attemptOf(2, { state: 'closed', closed: 'REPORTED' }), startMs);
    await book.put(attemptOf(1, { state: 'begun' }), startMs);
    const file = disk.journal();
    file.bytes = file.bytes.slice(0, -cut);
    for (const when of ['found', 'remembered']) {
      const again = await open(disk);
      const states = again.all().map(({ state }) => state);
      t.strictSame(states, ['begun', 'closed'], when);
      await again.close();
    }
  }
});

t.test('refuses to work on what is not whole, or not its own', async (t) => {
  const disk = new MemoryDisk();
  const book = await open(disk);
  for (const n of [1, 2, 3]) await book.put(attemptOf(n), startMs);
  await t.rejects(open(disk, 'chain/b'), { code: 'EXECUTOR_STATE_DAMAGED' });
  const file = disk.journal();
  const bytes = file.bytes.slice();
  for (const at of [3, 40, 200, 700]) {
    file.bytes = bytes.slice();
    file.bytes[at]! ^= 1;
    await t.rejects(open(disk), { code: 'EXECUTOR_STATE_DAMAGED' }, `byte ${at}`);
  }
});

t.test('what an earlier version wrote is read, and nothing else', async (t) => {
  const text =
    '{"attempt":"AQEBAQEBAQEBAQEBAQEBAQ","grant":"0000000000000000000000000000000000000000000000000000000000000001",' +
    '"action":"service.restart","effect":"eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee","maxUses":1,' +
    '"actWithinMs":10000,"expires":1763712060000,"local":false,"state":"prepared","sent":[],"envelope":"","outcome":"",' +
    '"result":"","closed":""}';
  t.equal(decodeUtf8(encodeAttempt(attemptOf(1))), text, 'frozen: attempts outlive the program that wrote them');
  t.strictSame(decodeAttempt(encodeUtf8(text)), attemptOf(1));
  for (const [from, to] of [
    ['prepared', 'done'],
    ['"maxUses":1', '"maxUses":-1'],
    ['"local":false', '"local":"no"'],
    ['"sent":[]', '"sent":[{"id":"x","expires":1}]'],
    ['AQEBAQEBAQEBAQEBAQEBAQ', 'AQ'],
    ['"state":"prepared"', '"state":"ended"'],
    ['{', '['],
  ] as const) {
    const other = encodeUtf8(text.replace(from, to));
    t.throws(() => decodeAttempt(other), { code: 'EXECUTOR_STATE_DAMAGED' }, to);
  }
});

t.test('it stays small: what is closed and long over is let go, and nothing else', async (t) => {
  const disk = new MemoryDisk();
  const book = await open(disk, 'chain/a', 8_000);
  for (let n = 1; n <= 100; n += 1) {
    const expires = startMs + n * 1000;
    await book.put(attemptOf(n, { expires }), startMs + n * 20_000);
    if (n !== 50) await book.put(attemptOf(n, { expires, state: 'closed', closed: 'REPORTED' }), startMs + n * 20_000);
  }
  t.ok(disk.journal().bytes.length < 60_000);
  t.ok(book.all().length < 60);
  t.equal(book.get(attemptOf(50).attempt)?.state, 'prepared', 'open ones stay for ever');
  t.strictSame((await open(disk.powerLoss())).all(), book.all());
});

t.test('a disk that failed once is not believed again', async (t) => {
  const disk = new MemoryDisk();
  const book = await open(disk);
  disk.before = (operation) => {
    if (operation === 'datasync') throw Object.assign(new Error('full'), { code: 'ENOSPC' });
  };
  await t.rejects(book.put(attemptOf(1), startMs), { code: 'DISK_FULL' });
  disk.before = () => undefined;
  await t.rejects(book.put(attemptOf(2), startMs), { code: 'DISK_FULL' });
});

t.test('one executor on one folder', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-executor-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const release = await lockFolder(dir);
  await t.rejects(lockFolder(dir), { code: 'EXECUTOR_LOCKED' });
  await release();
  await (await lockFolder(dir))();
});
