import { appendFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { decodeUtf8, encodeUtf8 } from '../../src/codec/utf8.ts';
import { nodeFiles } from '../../src/ledger/files.ts';
import { Journal } from '../../src/ledger/journal.ts';
import { frameHeadBytes, segmentHeadBytes } from '../../src/ledger/journalFrame.ts';
import { MemoryDisk } from './fixtures.ts';

const identity = new Uint8Array(32).fill(5);
const open = (disk: MemoryDisk) => Journal.open(disk.files, '/j', identity);
const texts = (payloads: readonly Uint8Array[]) => payloads.map((payload) => decodeUtf8(payload));

async function started(...payloads: string[]): Promise<{ disk: MemoryDisk; journal: Journal }> {
  const disk = new MemoryDisk();
  const { journal } = await open(disk);
  await journal.restart(payloads.map(encodeUtf8));
  return { disk, journal };
}

t.test('an absent journal takes nothing before its floor', async (t) => {
  const { journal, state } = await open(new MemoryDisk());
  t.equal(state, 'absent');
  t.throws(() => journal.append(encodeUtf8('vote')), { code: 'JOURNAL_NOT_STARTED' });
});

t.test('what was synced is read back in order; one sync serves all that came meanwhile', async (t) => {
  const { disk, journal } = await started('floor');
  disk.operations.length = 0;
  journal.append(encodeUtf8('a'));
  const first = journal.sync();
  await Promise.resolve();
  await Promise.resolve();
  journal.append(encodeUtf8('b'));
  const second = journal.sync();
  journal.append(encodeUtf8('c'));
  const third = journal.sync();
  await Promise.all([first, second, third]);
  t.strictSame(disk.operations.filter((name) => name === 'datasync').length, 2, 'b and c share a sync');
  const reopened = await open(disk.powerLoss());
  t.strictSame(texts(reopened.payloads), ['floor', 'a', 'b', 'c']);
  t.equal(reopened.state, 'complete');
  reopened.journal.append(encodeUtf8('d'));
  await reopened.journal.sync();
});

t.test('what was appended and not synced may be gone, and nothing else', async (t) => {
  const { disk, journal } = await started('floor', 'kept');
  journal.append(encodeUtf8('lost'));
  for (const keep of [0, 1, frameHeadBytes, frameHeadBytes + 3]) {
    disk.before = (operation) => {
      if (operation === 'datasync') throw new Error('power');
    };
    const { payloads, state } = await open(disk.powerLoss(keep));
    t.strictSame([texts(payloads), state], [['floor', 'kept'], 'complete']);
  }
  await t.rejects(journal.sync(), { code: 'DISK_FAILED' });
  t.throws(() => journal.append(encodeUtf8('x')), { code: 'DISK_FAILED' }, 'for ever');
  await t.rejects(journal.sync(), { code: 'DISK_FAILED' });
  for (let keep = 0; keep < frameHeadBytes + 4; keep += 1) {
    const torn = await open(disk.powerLoss(keep));
    t.strictSame([texts(torn.payloads), torn.state, torn.tornBytes], [['floor', 'kept'], 'complete', keep]);
    torn.journal.append(encodeUtf8('next'));
    await torn.journal.sync();
  }
  const whole = await open(disk.powerLoss(1000));
  t.strictSame(texts(whole.payloads), ['floor', 'kept', 'lost'], 'or it got through');
});

t.test('a torn tail is cut before anything follows it', async (t) => {
  const { disk, journal } = await started('floor');
  journal.append(encodeUtf8('one'));
  await journal.sync();
  const file = disk.journal();
  file.bytes = file.bytes.slice(0, -1);
  const { journal: again, payloads, tornBytes } = await open(disk);
  t.strictSame(texts(payloads), ['floor']);
  t.ok(tornBytes > 0);
  again.append(encodeUtf8('two'));
  await again.sync();
  t.strictSame(texts((await open(disk)).payloads), ['floor', 'two']);
});

t.test('a broken record that later ones prove to have been durable is damage, every byte of it', async (t) => {
  const { disk, journal } = await started('floor', 'x');
  for (const text of ['one', 'two', 'three']) {
    journal.append(encodeUtf8(text));
    await journal.sync();
  }
  const file = disk.journal();
  const good = file.bytes.slice();
  const last = frameHeadBytes + 'three'.length;
  for (let at = 0; at < good.length - last; at += 7) {
    file.bytes = good.slice();
    file.bytes[at]! ^= 1;
    const { state } = await open(disk);
    t.equal(state, 'damaged', `byte ${at}`);
  }
  file.bytes = good.slice();
  file.bytes[good.length - 1]! ^= 1;
  const { state, payloads } = await open(disk);
  t.equal(state, 'complete', 'the last one cannot be told from a torn one: the peers know (W11)');
  t.strictSame(texts(payloads), ['floor', 'x', 'one', 'two']);
});

t.test('a journal cut to its head, emptied, or of another network is damaged', async (t) => {
  const { disk } = await started('floor');
  const file = disk.journal();
  const good = file.bytes;
  for (const length of [0, 10, segmentHeadBytes]) {
    file.bytes = good.slice(0, length);
    t.equal((await open(disk)).state, 'damaged');
  }
  file.bytes = good;
  t.equal((await Journal.open(disk.files, '/j', new Uint8Array(32))).state, 'damaged');
});

t.test('restart replaces what was there, at whatever operation the power fails', async (t) => {
  for (let stop = 0; ; stop += 1) {
    const { disk, journal } = await started('floor 1', 'old');
    journal.append(encodeUtf8('queued'));
    let count = 0;
    disk.before = () => {
      count += 1;
      if (count > stop) throw new Error('power');
    };
    const done = journal.restart([encodeUtf8('floor 2'), encodeUtf8('live')]);
    journal.append(encodeUtf8('after'));
    const outcome = await done.then(
      () => 'done',
      () => 'failed',
    );
    for (const keep of [0, 40, 10_000]) {
      const { payloads, state } = await open(disk.powerLoss(keep));
      t.equal(state, 'complete');
      const found = texts(payloads).join();
      const after = ['floor 2,live', 'floor 2,live,after'];
      t.ok(
        outcome === 'done' ? after.includes(found) : ['floor 1,old', ...after].includes(found),
        `${outcome} after ${stop}: ${found}`,
      );
    }
    if (outcome === 'done') break;
  }
});

t.test('on a real disk', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-journal-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const first = await Journal.open(nodeFiles, folder, identity);
  await first.journal.restart([encodeUtf8('floor')]);
  for (let i = 0; i < 50; i += 1) {
    first.journal.append(encodeUtf8(`r${i}`));
    if (i % 5 === 0) await first.journal.sync();
  }
  await first.journal.sync();
  await first.journal.close();
  const second = await Journal.open(nodeFiles, folder, identity);
  t.equal(second.payloads.length, 51);
  await second.journal.restart([encodeUtf8('floor 2')]);
  t.strictSame(readdirSync(folder), ['journal-0000000002'], 'the old segment is gone');
  await second.journal.close();
  const third = await Journal.open(nodeFiles, folder, identity);
  t.strictSame(texts(third.payloads), ['floor 2']);
  await third.journal.close();
});

t.test('room made ready behind the end says nothing, also when a crash leaves it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-journal-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const ahead = 1000;
  const [live, left] = [join(folder, 'live'), join(folder, 'left')];
  const path = (at: string): string => join(at, 'journal-0000000001');
  const { journal } = await Journal.open(nodeFiles, live, identity, ahead);
  await journal.restart([encodeUtf8('floor')]);
  const expected = ['floor'];
  const lengthOf = (records: readonly string[]): number =>
    records.reduce((sum, record) => sum + frameHeadBytes + record.length, segmentHeadBytes);
  const reopened = async (at: string) => {
    const opened = await Journal.open(nodeFiles, at, identity, ahead);
    await opened.journal.close();
    return opened;
  };
  for (let i = 0; i < 60; i += 1) {
    const record = `${i} ${'x'.repeat(i % 7 === 0 ? 1500 : 10)}`;
    journal.append(encodeUtf8(record));
    expected.push(record);
    await journal.sync();
    rmSync(left, { recursive: true, force: true });
    cpSync(live, left, { recursive: true });
    const { payloads, state, tornBytes } = await reopened(left);
    t.strictSame([texts(payloads), state, tornBytes], [expected, 'complete', 0]);
    t.equal(readFileSync(path(left)).length, lengthOf(expected), 'and it is cut');
  }
  await journal.close();
  t.equal(readFileSync(path(live)).length, lengthOf(expected), 'as who closes it does');
  appendFileSync(path(left), Uint8Array.of(1, 0, 2));
  appendFileSync(path(left), new Uint8Array(50));
  t.equal((await reopened(left)).tornBytes, 3, 'what stands in it is torn');
  const bytes = readFileSync(path(left));
  bytes[1000] = (bytes[1000] ?? 0) ^ 1;
  writeFileSync(path(left), bytes);
  appendFileSync(path(left), new Uint8Array(50));
  t.equal((await reopened(left)).state, 'damaged', 'and it hides no damage');
});
