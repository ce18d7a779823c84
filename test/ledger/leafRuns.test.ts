import fc from 'fast-check';
import t from 'tap';
import { IndexLists, indexesOf } from '../../src/ledger/indexLists.ts';
import type { WriteOp } from '../../src/ledger/keyValue.ts';
import { LeafRuns } from '../../src/ledger/leafRuns.ts';
import { groupKey, leafKey, typeKey } from '../../src/ledger/storeKeys.ts';

/** A database that counts its keys. */
class Memory {
  readonly values = new Map<string, Uint8Array>();
  readonly get = (key: Uint8Array) => this.values.get(Buffer.from(key).toString('hex'));
  write(ops: readonly WriteOp[]): void {
    for (const op of ops) {
      const key = Buffer.from(op.key).toString('hex');
      if (op.type === 'put') this.values.set(key, op.value.slice());
      else this.values.delete(key);
    }
  }
}

const entryOf = (index: number, length: number) => new Uint8Array(length).fill(index & 0xff);

/** Blocks of these numbers of entries, from index 1 on; some commits have several blocks. Lengths vary from none to a whole run. */
function fill(memory: Memory, sizes: readonly number[], restarts = false): Uint8Array[] {
  let runs = new LeafRuns(memory.get);
  const all: Uint8Array[] = [new Uint8Array(0)];
  let ops: WriteOp[] = [];
  for (const [i, size] of sizes.entries()) {
    const entries = Array.from({ length: size }, (_, n) => entryOf(all.length + n, (7 * n * size) % 900));
    runs.push(ops, all.length, entries);
    all.push(...entries);
    if (i % 3 === 2) continue;
    memory.write(ops);
    ops = [];
    if (restarts) runs = new LeafRuns(memory.get);
  }
  memory.write(ops);
  return all;
}

t.test('each entry is found, in any order, whoever wrote it, also after restarts', async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 8 }),
      fc.boolean(),
      (sizes, again) => {
        const memory = new Memory();
        const all = fill(memory, sizes, again);
        const up = new LeafRuns(memory.get);
        const down = new LeafRuns(memory.get);
        for (let index = 1; index < all.length; index += 1) {
          if (Buffer.compare(up.entry(index)!, all[index]!) !== 0) return false;
          const other = all.length - index;
          if (Buffer.compare(down.entry(other)!, all[other]!) !== 0) return false;
        }
        return up.entry(all.length) === undefined && up.entry(0) === undefined;
      },
    ),
    { numRuns: 60 },
  );
  const memory = new Memory();
  fill(memory, [201]);
  t.ok(memory.values.size < 12, `201 entries are ${memory.values.size} keys`);
});

t.test('large entries make short runs', async (t) => {
  const memory = new Memory();
  const runs = new LeafRuns(memory.get);
  const ops: WriteOp[] = [];
  runs.push(
    ops,
    1,
    Array.from({ length: 4 }, (_, i) => entryOf(i, 65_535)),
  );
  memory.write(ops);
  t.equal(memory.values.size, 4 + 1);
  for (const i of [3, 0, 2, 1]) t.equal(runs.entry(1 + i)?.length, 65_535);
});

t.test('a group is taken away, and what is kept of it stands alone', async (t) => {
  const memory = new Memory();
  const all = fill(memory, [90, 300, 3, 500]);
  // As version 1 wrote it.
  memory.write([{ type: 'put', key: leafKey(0), value: entryOf(0, 5) }]);
  const runs = new LeafRuns(memory.get);
  t.equal(runs.entry(0)?.length, 5);
  const ops: WriteOp[] = [];
  const kept = new Set([200, 255, 256, 390]);
  let at = 1;
  runs.drop(ops, 1, 512, (entry) => {
    t.equal(Buffer.compare(entry, all[at]!), 0);
    at += 1;
    return kept.has(at - 1);
  });
  t.equal(at, 512);
  memory.write(ops);
  runs.forget();
  for (let index = 0; index < all.length; index += 1) {
    const found = runs.entry(index);
    if (index === 0 || index >= 512 || kept.has(index)) t.ok(found, `${index}`);
    else t.equal(found, undefined);
    if (index > 0 && found !== undefined) t.equal(Buffer.compare(found, all[index]!), 0);
  }
  // Of version 1 each goes by itself.
  const rest: WriteOp[] = [];
  runs.drop(rest, 1, 256, () => false);
  t.same(
    rest.map(({ type, key }) => [type, Buffer.from(key).toString('hex')]),
    [200, 255].map((index) => ['del', Buffer.from(leafKey(index)).toString('hex')]),
  );
});

t.test('what a disk says of entries that are not there yet counts for nothing', async (t) => {
  const memory = new Memory();
  const all = fill(memory, [50]);
  const starts = memory.get(groupKey(0))!.slice();
  starts[7]! |= 0xff;
  memory.write([{ type: 'put', key: groupKey(0), value: starts }]);
  const ops: WriteOp[] = [];
  const runs = new LeafRuns(memory.get);
  const more = Array.from({ length: 30 }, (_, n) => entryOf(n, 20));
  runs.push(ops, all.length, more);
  memory.write(ops);
  for (const [i, entry] of more.entries()) t.same(new LeafRuns(memory.get).entry(all.length + i), entry);
  starts[1]! |= 1;
  memory.write([{ type: 'put', key: groupKey(0), value: starts }]);
  t.throws(() => new LeafRuns(memory.get).entry(2), { code: 'DATA_DAMAGED' }, 'within a run none begins');
});

t.test('lists of indexes read back as they were', async (t) => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 2 ** 40 }), { minLength: 1, maxLength: 200 }), (numbers) => {
      const indexes = numbers.sort((a, b) => a - b);
      const lists = new IndexLists(typeKey);
      const ops: WriteOp[] = [];
      for (const index of indexes) lists.add('a', index);
      lists.push(ops);
      const [op] = ops;
      if (op?.type !== 'put' || ops.length !== 1) return false;
      return indexesOf(op.key, op.value).join() === indexes.join();
    }),
  );
  t.same(indexesOf(typeKey('a', 5), new Uint8Array(0)), [5], 'as version 1 wrote it');
  t.throws(() => indexesOf(typeKey('a', 5), Uint8Array.of(0x80)), { code: 'DATA_DAMAGED' });
});

t.test('the key under which an entry lies is known without reading it', async (t) => {
  const memory = new Memory();
  const all = fill(memory, [90, 300, 3, 500]);
  memory.write([{ type: 'put', key: leafKey(0), value: entryOf(0, 5) }]);
  for (let index = 0; index < all.length; index += 1) {
    const asked: string[] = [];
    const runs = new LeafRuns((key) => {
      asked.push(Buffer.from(key).toString('hex'));
      return memory.get(key);
    });
    const key = Buffer.from(runs.keyOf(index) ?? []).toString('hex');
    t.ok(asked.length === 1 && memory.values.has(key));
    runs.entry(index);
    t.equal(asked.at(-1), key);
    t.same(runs.keyOf(index), index === 0 ? leafKey(0) : undefined, 'a run that was just read is in memory');
  }
});
