import { existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { clearLeftovers, takeIncoming } from '../../src/node/dataFolder.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

t.test('what a killed process left is removed, and nothing else', async (t) => {
  const data = t.testdir({
    store: { CURRENT: 'x' },
    '.copy-old': { store: { a: 'x' } },
    '.copy-new': { store: { a: 'x' } },
    snapshots: {},
  });
  const snapshots = join(data, 'snapshots');
  const left = ['120.snapshot.part', 'download.tmp'];
  const kept = ['100.snapshot', 'incoming-0123456789abcdef.snapshot.part', 'notes.part'];
  for (const name of [...left, ...kept]) writeFileSync(join(snapshots, name), 'x');
  const longAgo = Date.now() / 1000 - 2 * 24 * 60 * 60;
  utimesSync(join(data, '.copy-old'), longAgo, longAgo);
  await clearLeftovers(data, silent);
  for (const name of left) t.notOk(existsSync(join(snapshots, name)), name);
  for (const name of kept) t.ok(existsSync(join(snapshots, name)), name);
  t.notOk(existsSync(join(data, '.copy-old')));
  t.ok(existsSync(join(data, '.copy-new')), 'somebody may be reading it');
  t.ok(existsSync(join(data, 'store', 'CURRENT')));
});

t.test('a folder in which nothing lies, or that is not there', async (t) => {
  const data = join(t.testdir(), 'none');
  await clearLeftovers(data, silent);
  await takeIncoming(data, silent);
  mkdirSync(data);
  await clearLeftovers(data, silent);
  t.pass();
});
