import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Appended } from './appended.ts';
import { readAheadKiB } from './pageCache.ts';

t.test('what was appended counts, whatever the database takes away or puts together meanwhile', async (t) => {
  const dir = t.testdir({ store: { '000003.log': 'x'.repeat(1000), '000002.ldb': 'old' } });
  const store = join(dir, 'store');
  const appended = new Appended(dir);
  appended.look();
  t.equal(appended.bytes, 0, 'what was there before is none of it');
  appendFileSync(join(store, '000003.log'), 'y'.repeat(50));
  appended.look();
  t.equal(appended.bytes, 50);
  // The log becomes a table, and goes; a journal that begins counts whole.
  writeFileSync(join(store, '000004.log'), 'z'.repeat(7));
  writeFileSync(join(store, '000005.ldb'), 't'.repeat(900));
  rmSync(join(store, '000003.log'));
  rmSync(join(store, '000002.ldb'));
  writeFileSync(join(store, 'MANIFEST-000006'), 'm'.repeat(500));
  mkdirSync(join(dir, 'journal'));
  writeFileSync(join(dir, 'journal', 'journal-0000000001'), 'j'.repeat(300));
  appended.look();
  t.equal(appended.bytes, 357);
  writeFileSync(join(dir, 'journal', 'journal-0000000001'), '');
  appended.look();
  t.equal(appended.bytes, 357, 'never less');
});

t.test('what a disk reads ahead is a number, or nobody says', async (t) => {
  const found = readAheadKiB(t.testdir());
  t.ok(found === undefined || (Number.isSafeInteger(found) && found >= 0), String(found));
});
