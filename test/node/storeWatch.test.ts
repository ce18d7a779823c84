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
  const watch = new StoreWatch({ ledger, damaged: (code) => told.push(code), monotonicMs: () => world.now }, 0);
  /** A second passes. */
  const turn = (ms = 1000): void => {
    world.now += ms;
    watch.tick();
  };
  return { watch, turn, bad, seen, told, world };
}

const dayMs = 24 * 60 * 60 * 1000;

t.test('every block in turn, once a day, over and over', (t) => {
  const { watch, turn, seen, world } = makeWatch(1000);
  for (let i = 0; i < 60 * 24; i += 1) turn(60_000);
  t.ok(Math.abs(seen.length - 1000) <= 1, `${seen.length} of a day`);
  t.same(seen.slice(0, 3), [1, 2, 3]);
  while (seen.length < 1002) turn(60_000);
  t.same(seen.slice(-2), [1, 2]);
  world.floor = { ...wholeFloor, height: 501 };
  turn(dayMs / 500);
  t.equal(seen.at(-1), 501, 'what was pruned is not looked for');
  t.equal(watch.checked, seen.length);
  t.end();
});

t.test('a large store takes longer: a turn has its bounds', (t) => {
  const { turn, seen } = makeWatch(1e9);
  turn();
  t.equal(seen.length, 64);
  turn(dayMs);
  t.equal(seen.length, 128, 'nor is time made up for in which nothing ran');
  t.end();
});

t.test('a short chain is no exception: a minute after its start nothing was read', (t) => {
  const { turn, seen } = makeWatch(100);
  for (let i = 0; i < 60; i += 1) turn();
  t.same(seen, []);
  t.end();
});

t.test('damage is what is there twice', (t) => {
  const { turn, bad, seen, told } = makeWatch(10);
  const hour = 60 * 60 * 1000;
  bad.add(4);
  for (let i = 0; i < 10; i += 1) turn(hour);
  t.equal(seen.at(-1), 4);
  const { length } = seen;
  turn();
  t.equal(seen.length, length, 'it waits before it looks again');
  bad.delete(4);
  turn(10_000);
  t.same(seen.slice(length), [4], 'and does not wait for the next day');
  t.same(told, [], 'pruned in between');
  bad.add(7);
  for (let i = 0; i < 10; i += 1) turn(hour);
  t.same(told, ['DATA_DAMAGED']);
  const after = seen.length;
  turn(dayMs);
  t.equal(seen.length, after, 'said once');
  t.end();
});

t.test('an empty chain, and a store that is closed', (t) => {
  const empty = makeWatch(0);
  empty.turn(dayMs);
  t.same(empty.seen, []);
  let now = 0;
  let read = 0;
  const ledger = {
    checkStored: () => {
      read += 1;
      throw new WeftError('LEDGER_CLOSED', 'closed');
    },
    finalized: { header: { height: 3 } },
    floor: wholeFloor,
  } as unknown as StoreWatchModules['ledger'];
  const damaged = (): void => void t.fail('a closed store is not a damaged one');
  const watch = new StoreWatch({ ledger, damaged, monotonicMs: () => now }, 0);
  for (let i = 0; i < 3; i += 1) {
    now += dayMs;
    watch.tick();
  }
  t.equal(read, 1);
  t.end();
});
