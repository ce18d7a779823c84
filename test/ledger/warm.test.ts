import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { type KeyValue, openLevel, type WriteOp } from '../../src/ledger/keyValue.ts';
import { LeafRuns } from '../../src/ledger/leafRuns.ts';
import { Store } from '../../src/ledger/store.ts';
import { runKey, tileKey } from '../../src/ledger/storeKeys.ts';

const hex = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('hex');

/** A database with one block of so many entries from index 1 on; what it is told to warm is noted, and done when the test says so. */
function slow(entries: number): { database: KeyValue; warmed: string[][]; finish: ((error?: Error) => void)[] } {
  const values = new Map<string, Uint8Array>();
  const ops: WriteOp[] = [];
  new LeafRuns(() => undefined).push(
    ops,
    1,
    Array.from({ length: entries }, (_, i) => new Uint8Array(100).fill(i)),
  );
  for (const op of ops) if (op.type === 'put') values.set(hex(op.key), op.value);
  const warmed: string[][] = [];
  const finish: ((error?: Error) => void)[] = [];
  const database: KeyValue = {
    get: (key) => values.get(hex(key)),
    warm: (keys) => {
      warmed.push(keys.map(hex));
      return new Promise((resolve, reject) => void finish.push((error) => (error ? reject(error) : resolve())));
    },
    write: () => Promise.resolve(),
    async *range() {},
    close: () => Promise.resolve(),
  };
  return { database, warmed, finish };
}

t.test('the run of an entry and its tile are read at the same time, of one entry after the other', async (t) => {
  const { database, warmed, finish } = slow(600);
  const store = new Store(database, '');
  const first = store.warm(300, true);
  const second = store.warm(20, false);
  await turn();
  t.same(warmed, [[hex(runKey(288)), hex(tileKey(0, 1))]], 'the second waits for the first');
  finish[0]?.();
  await first;
  await turn();
  t.same(warmed[1], [hex(runKey(1))]);
  // Whoever reads finds out.
  finish[1]?.(new Error('the disk'));
  await second;
  t.equal(store.leaf(20)?.[0], 19);
  const third = store.warm(21, false);
  await turn();
  t.same(warmed[2], [], 'its run was just read');
  finish[2]?.();
  await third;
});

t.test('a database in memory has nothing to warm', async (t) => {
  const { database } = slow(10);
  const { warm: _, ...rest } = database;
  t.equal(await new Store(rest, '').warm(5, true), undefined);
});

t.test('Level says nothing of what is absent, nor of its end', async (t) => {
  const level = await openLevel(t.testdir());
  await level.write([{ type: 'put', key: runKey(1), value: new Uint8Array(3) }]);
  t.equal(await level.warm?.([runKey(1), runKey(2)]), undefined);
  t.equal(await level.warm?.([]), undefined);
  await level.close();
  t.equal(await level.warm?.([runKey(1)]), undefined);
});
