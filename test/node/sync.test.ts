import t from 'tap';
import { WeftError } from '../../src/codec/error.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { CommittedBlock, Run } from '../../src/ledger/types.ts';
import { Sync } from '../../src/node/sync.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const run: Run = { headers: [new Uint8Array(1)], bodies: [new Uint8Array(1)], certificate: new Uint8Array(1) };

/** A ledger that only counts, and peers that answer as told. */
function setUp(
  peers: Record<string, (from: number) => Run | undefined>,
  importRun?: (height: number) => number,
  faults = 0,
) {
  const state = { height: 0, asked: [] as string[], blamed: [] as string[], halted: [] as string[], imported: 0 };
  const ledger = {
    get finalized() {
      return { header: { height: state.height } };
    },
    importRun: async () => {
      const before = state.height;
      state.height = importRun?.(state.height) ?? state.height + 1;
      return new Array<CommittedBlock>(state.height - before).fill({} as CommittedBlock);
    },
  } as unknown as Ledger;
  const sync = new Sync({
    ledger,
    askable: () => Object.keys(peers),
    fetchRun: async (peer, from) => {
      state.asked.push(`${peer} ${from}`);
      return peers[peer]?.(from);
    },
    imported: (blocks) => {
      state.imported += blocks.length;
    },
    blame: (peer, code) => state.blamed.push(`${peer} ${code}`),
    halted: (code) => state.halted.push(code),
    faults: () => faults,
    log: silent,
    sleep: () => new Promise((resolve) => setImmediate(resolve)),
  });
  return { sync, state };
}

const idle = async (sync: Sync): Promise<void> => {
  await sync.stop();
};

t.test('fetches run after run until the height is here, from who has it', async (t) => {
  const { sync, state } = setUp({ a: () => undefined, b: () => run });
  sync.heard('b', 5);
  t.equal(sync.behind, 5);
  t.ok(sync.catchingUp);
  sync.catchUpTo(5);
  while (state.height < 5) await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  t.same(state.asked, ['b 1', 'b 2', 'b 3', 'b 4', 'b 5'], 'a never said that it has them');
  t.equal(state.imported, 5);
  t.equal(sync.behind, 0);
  t.notOk(sync.catchingUp);
  await idle(sync);
});

t.test('a peer that sends a bad run is blamed and passed over', async (t) => {
  let bad = true;
  const { sync, state } = setUp({ a: () => run, b: () => run }, (height) => {
    if (bad) {
      bad = false;
      throw new WeftError('RUN_INVALID', 'not a run');
    }
    return height + 1;
  });
  sync.heard('a', 1);
  sync.heard('b', 1);
  sync.catchUpTo(1);
  while (state.height < 1) await new Promise((resolve) => setImmediate(resolve));
  t.same(state.blamed, ['a RUN_INVALID']);
  t.same(state.asked, ['a 1', 'b 1']);
  await idle(sync);
});

t.test('a height that nobody can serve is given up, not asked for ever', async (t) => {
  const { sync, state } = setUp({ liar: () => undefined });
  sync.heard('liar', 1_000_000);
  sync.catchUpTo(1_000_000);
  for (let i = 0; i < 500; i += 1) await new Promise((resolve) => setImmediate(resolve));
  const asked = state.asked.length;
  t.ok(asked > 0 && asked < 50, `${asked} questions`);
  for (let i = 0; i < 100; i += 1) await new Promise((resolve) => setImmediate(resolve));
  t.equal(state.asked.length, asked);
  await idle(sync);
});

t.test('a diverged state stops the node, and is not taken for a bad peer', async (t) => {
  const { sync, state } = setUp({ a: () => run }, () => {
    throw new WeftError('STATE_DIVERGED', 'other roots here');
  });
  sync.heard('a', 1);
  sync.catchUpTo(1);
  for (let i = 0; i < 20; i += 1) await new Promise((resolve) => setImmediate(resolve));
  t.same(state.halted, ['STATE_DIVERGED']);
  t.same(state.blamed, []);
  await idle(sync);
});

t.test('one liar of four does not make a node believe that it is behind', async (t) => {
  const { sync } = setUp({}, undefined, 1);
  sync.heard('liar', 1_000_000);
  sync.heard('b', 3);
  sync.heard('c', 2);
  t.equal(sync.behind, 3);
});
