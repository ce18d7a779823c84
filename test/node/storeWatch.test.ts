import t from 'tap';
import { WeftError } from '../../src/codec/error.ts';
import { type Floor, wholeFloor } from '../../src/ledger/floor.ts';
import { StoreWatch, type StoreWatchModules } from '../../src/node/storeWatch.ts';

function makeWatch(height: number) {
  const bad = new Set<number>();
  const seen: number[] = [];
  const told: string[] = [];
  const world = { now: 0, floor: wholeFloor as Floor, height };
  const ledger = {
    checkStored: (at: number) => {
      seen.push(at);
      if (bad.has(at)) throw new WeftError('DATA_DAMAGED', `block ${at}`);
      return 1;
    },
    get finalized() {
      return { header: { height: world.height } };
    },
    get floor() {
      return world.floor;
    },
  } as unknown as StoreWatchModules['ledger'];
  const watch = new StoreWatch({ ledger, damaged: (code) => told.push(code), monotonicMs: () => world.now });
  return { watch, bad, seen, told, world };
}

t.test('every block in turn, over and over, within bounds', (t) => {
  const { watch, seen, world } = makeWatch(100);
  watch.tick();
  t.equal(seen.length, 64);
  watch.tick();
  t.same(seen.slice(-2), [99, 100]);
  world.floor = { ...wholeFloor, height: 50 };
  watch.tick();
  t.equal(seen.at(100), 50, 'what was pruned is not looked for');
  t.equal(watch.checked, seen.length);
  t.end();
});

t.test('damage is what is there twice', (t) => {
  const { watch, bad, seen, told, world } = makeWatch(10);
  bad.add(4);
  watch.tick();
  watch.tick();
  t.same(seen, [1, 2, 3, 4], 'it waits before it looks again');
  world.now = 20_000;
  bad.delete(4);
  watch.tick();
  t.same(told, [], 'pruned in between');
  bad.add(7);
  watch.tick();
  world.now = 40_000;
  watch.tick();
  t.same(told, ['DATA_DAMAGED']);
  const { length } = seen;
  watch.tick();
  t.equal(seen.length, length, 'said once');
  t.end();
});

t.test('an empty chain, and a store that is closed', (t) => {
  const empty = makeWatch(0);
  empty.watch.tick();
  t.same(empty.seen, []);
  const watch = new StoreWatch({
    ledger: {
      checkStored: () => {
        throw new WeftError('LEDGER_CLOSED', 'closed');
      },
      finalized: { header: { height: 3 } },
      floor: wholeFloor,
    } as unknown as StoreWatchModules['ledger'],
    damaged: () => t.fail('a closed store is not a damaged one'),
    monotonicMs: () => 0,
  });
  watch.tick();
  watch.tick();
  t.end();
});
