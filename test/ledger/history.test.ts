import fc from 'fast-check';
import t from 'tap';
import type { Header } from '../../src/ledger/header.ts';
import { History } from '../../src/ledger/history.ts';
import type { Store } from '../../src/ledger/store.ts';

/** Blocks of these numbers of entries, from height 1 on, behind one of genesis; headers that were read are counted. */
function chainOf(sizes: readonly number[], floorHeight = 0): { history: History; ends: number[]; read: () => number } {
  const ends = [1];
  for (const size of sizes) ends.push((ends.at(-1) ?? 0) + size);
  let read = 0;
  const store = {
    floor: { height: floorHeight, logSize: floorHeight === 0 ? 0 : ends[floorHeight - 1], entry: 0, tiles: 0 },
    leaf: () => new Uint8Array(1),
    header: (height: number) => {
      read += 1;
      const logSize = height > 0 && height >= floorHeight ? ends[height] : undefined;
      return logSize === undefined ? undefined : { logSize };
    },
  };
  const genesis = { height: 0, logSize: 1 } as Header;
  return { history: new History(store as unknown as Store, 'genesis', genesis), ends, read: () => read };
}

t.test('the block of an entry is found, also while the chain grows and begins above genesis', async () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 300 }),
      fc.nat(10),
      fc.boolean(),
      (sizes, start, pruned) => {
        const floor = pruned ? Math.min(start, sizes.length) : 0;
        const { history, ends } = chainOf(sizes, floor);
        for (let tip = Math.max(1, sizes.length - 3); tip <= sizes.length; tip += 1) {
          const header = { height: tip, logSize: ends[tip] } as Header;
          for (let height = Math.max(1, floor); height <= tip; height += 1)
            for (let index = ends[height - 1]!; index < ends[height]!; index += 1)
              if (history.entry(index, header)?.height !== height) return false;
          if (history.entry(ends[tip]!, header) !== undefined) return false;
        }
        return history.entry(0, { height: 1, logSize: ends[1] } as Header)?.height === 0;
      },
    ),
    { numRuns: 100 },
  );
});

t.test('in a long chain a search reads few headers once others have been made', async (t) => {
  const { history, ends, read } = chainOf(Array.from({ length: 40_000 }, (_, i) => 1 + (i % 7)));
  const find = (height: number, tip: number): number => {
    const before = read();
    t.equal(history.entry(ends[height]! - 1, { height: tip, logSize: ends[tip] } as Header)?.height, height);
    return read() - before;
  };
  t.ok(find(20_001, 39_000) > 10);
  for (let i = 1; i < 600; i += 1) find(i * 64, 39_000);
  t.ok(find(20_003, 39_001) <= 6, 'whatever the tip is');
});
