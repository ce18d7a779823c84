import t from 'tap';
import { WeftError } from '../../src/codec/error.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { CommittedBlock, Run } from '../../src/ledger/types.ts';
import type { RunAnswer } from '../../src/node/runAnswers.ts';
import { Sync, type SyncModules } from '../../src/node/sync.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const run: Run = { headers: [new Uint8Array(1)], bodies: [new Uint8Array(1)], certificate: new Uint8Array(1) };

/** A ledger that only counts, and peers that answer as told. */
function setUp(
  peers: Record<string, (from: number) => Run | RunAnswer | undefined>,
  importRun?: (height: number, run: Run) => number,
  faults = 0,
  mute: readonly string[] = [],
  more: Partial<SyncModules> = {},
) {
  const state = {
    now: 0,
    height: 0,
    asked: [] as string[],
    blamed: [] as string[],
    halted: [] as string[],
    imported: 0,
    snapshots: [] as number[],
  };
  const ledger = {
    get finalized() {
      return { header: { height: state.height } };
    },
    beginRun: (run: Run) => {
      let missing = run.headers.length;
      const before = state.height;
      return {
        get missing() {
          return missing;
        },
        get next() {
          return before + run.headers.length - missing + 1;
        },
        take: async (bodies: Uint8Array[]) => {
          for (const body of bodies) {
            if (body[0] === 13) throw new WeftError('RUN_INVALID', 'not this body');
            missing -= 1;
          }
        },
        finish: async () => {
          if (missing > 0) return [];
          state.height = importRun?.(before, run) ?? before + run.headers.length;
          return new Array<CommittedBlock>(state.height - before).fill({} as CommittedBlock);
        },
      };
    },
  } as unknown as Ledger;
  const sync = new Sync({
    ledger,
    askable: () => Object.keys(peers),
    fetchRun: async (peer, from, _bytesMax, timeoutMs) => {
      state.asked.push(`${peer} ${from}`);
      if (mute.includes(peer)) state.now += timeoutMs;
      const answer = peers[peer]?.(from);
      return answer === undefined || 'kind' in answer ? answer : { kind: 'run', run: answer };
    },
    fetchBodies: async () => undefined,
    snapshotNeeded: (from) => state.snapshots.push(from),
    others: () => 3,
    paused: () => false,
    imported: (blocks) => {
      state.imported += blocks.length;
    },
    blame: (peer, code) => state.blamed.push(`${peer} ${code}`),
    halted: (code) => state.halted.push(code),
    faults: () => faults,
    isValidator: (peer) => !peer.startsWith('observer'),
    log: silent,
    monotonicMs: () => state.now,
    sleep: (ms) => {
      state.now += ms;
      return new Promise((resolve) => setImmediate(resolve));
    },
    ...more,
  });
  return { sync, state };
}

/** Slack that no test exceeds: being told a height starts nothing. */
const never = Number.MAX_SAFE_INTEGER;

const idle = async (sync: Sync): Promise<void> => {
  await sync.stop();
};

t.test('fetches run after run until the height is here, from who has it', async (t) => {
  const { sync, state } = setUp({ a: () => undefined, b: () => run });
  sync.heard('b', 5, never);
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
  sync.heard('a', 1, never);
  sync.heard('b', 1, never);
  sync.catchUpTo(1);
  while (state.height < 1) await new Promise((resolve) => setImmediate(resolve));
  t.same(state.blamed, ['a RUN_INVALID']);
  t.same(state.asked, ['a 1', 'b 1']);
  await idle(sync);
});

t.test('a height that nobody can serve is given up, not asked for ever', async (t) => {
  const { sync, state } = setUp({ liar: () => undefined });
  sync.heard('liar', 1_000_000, never);
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
  sync.heard('a', 1, never);
  sync.catchUpTo(1);
  for (let i = 0; i < 20; i += 1) await new Promise((resolve) => setImmediate(resolve));
  t.same(state.halted, ['STATE_DIVERGED']);
  t.same(state.blamed, []);
  await idle(sync);
});

t.test('one liar of four does not make a node believe that it is behind', async (t) => {
  const { sync } = setUp({}, undefined, 1);
  sync.heard('liar', 1_000_000, never);
  sync.heard('b', 3, never);
  sync.heard('c', 2, never);
  t.equal(sync.behind, 3);
});

t.test("what an observer says of heights is nobody's goal, and a liar's neither", async (t) => {
  const { sync, state } = setUp({ a: () => run, b: () => run, c: () => run }, undefined, 1);
  sync.heard('b', 0, 2);
  sync.heard('c', 0, 2);
  sync.heard('a', 1_000_000, 2);
  sync.heard('observer1', 1_000_000, 2);
  sync.heard('observer2', 1_000_000, 2);
  for (let i = 0; i < 10; i += 1) await new Promise((resolve) => setImmediate(resolve));
  t.equal(sync.behind, 0);
  t.same(state.asked, []);
  sync.heard('b', 10, 2);
  for (let i = 0; i < 50; i += 1) await new Promise((resolve) => setImmediate(resolve));
  t.equal(state.height, 10, 'one liar and one honest validator say at least that much');
  await idle(sync);
});

t.test('a silent peer is asked now and then, and holds nobody up', async (t) => {
  const { sync, state } = setUp({ mute: () => undefined, a: () => run, b: () => run }, undefined, 0, ['mute']);
  for (const peer of ['mute', 'a', 'b']) sync.heard(peer, 200, never);
  sync.catchUpTo(200);
  while (state.height < 200) await new Promise((resolve) => setImmediate(resolve));
  t.ok(state.now < 5000, `${state.now} ms for 200 runs`);
  const by = (peer: string): number => state.asked.filter((each) => each.startsWith(`${peer} `)).length;
  t.ok(
    by('mute') <= 2 && by('b') > 0 && by('a') > 170,
    `stays with a, and tries b now and then: ${by('a')}, ${by('b')}`,
  );
  await idle(sync);
});

t.test('a liar that answers always, in time, and with little, is left for peers who bring more', async (t) => {
  const of = (count: number): Run => ({
    headers: Array.from({ length: count }, () => new Uint8Array(300)),
    bodies: Array.from({ length: count }, () => new Uint8Array(1)),
    certificate: new Uint8Array(1),
  });
  const after = (ms: number, count: number) => (): Run => {
    slow.state.now += ms;
    return of(count);
  };
  const slow = setUp({ liar: after(950, 1), b: after(1100, 100), c: after(1100, 100) }, undefined, 1);
  for (const peer of ['liar', 'b', 'c']) slow.sync.heard(peer, 20_000, never);
  slow.sync.catchUpTo(20_000);
  await until(() => slow.state.height >= 20_000, 20_000);
  t.ok(slow.state.height >= 20_000);
  const lies = slow.state.asked.filter((each) => each.startsWith('liar ')).length;
  t.ok(
    lies < 30,
    `asked the liar ${lies} times of ${slow.state.asked.length}, though the others take longer than a second`,
  );
  await idle(slow.sync);
});

t.test('headers without end are taken from nobody while somebody has a nearer finalization', async (t) => {
  const long: Run = {
    headers: Array.from({ length: 2000 }, () => new Uint8Array(1)),
    bodies: [new Uint8Array(1)],
    certificate: new Uint8Array(1),
  };
  let bodies = 0;
  const fetchBodies = async (): Promise<Uint8Array[]> => {
    bodies += 1;
    return [new Uint8Array(1)];
  };
  const near = setUp({ liar: () => long, b: () => run, c: () => run }, undefined, 1, [], { fetchBodies });
  for (const peer of ['liar', 'b', 'c']) near.sync.heard(peer, 50, never);
  near.sync.catchUpTo(50);
  await until(() => near.state.height >= 50);
  t.equal(near.state.height, 50, 'run by run, from the others');
  t.equal(bodies, 0);
  await idle(near.sync);
  // A chain that had no finalization for so long: everybody has only this.
  const far = setUp({ a: () => long, b: () => long, c: () => long }, undefined, 1, [], { fetchBodies });
  for (const peer of ['a', 'b', 'c']) far.sync.heard(peer, 2000, never);
  far.sync.catchUpTo(2000);
  await until(() => far.state.height >= 2000, 20_000);
  t.equal(far.state.height, 2000);
  await idle(far.sync);
});

t.test('a blamed peer is passed over for long, and the longer the more often', async (t) => {
  const bad = { headers: [], bodies: [], certificate: new Uint8Array() };
  const { sync, state } = setUp({ liar: () => bad, a: () => (state.now < 20_000 ? undefined : run) }, (height) => {
    if (state.asked.at(-1)?.startsWith('liar')) throw new WeftError('RUN_INVALID', 'not a run');
    return height + 1;
  });
  for (const peer of ['liar', 'a']) sync.heard(peer, 5, never);
  for (let i = 0; state.height < 5 && i < 5000; i += 1) {
    sync.catchUpTo(5);
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.equal(state.height, 5);
  t.ok(state.blamed.length <= 3, `${state.blamed.length} lies looked at in ${state.now} ms`);
  await idle(sync);
});

t.test('a verifier that is full halts nothing: the run is imported a moment later', async (t) => {
  let refusals = 3;
  const { sync, state } = setUp({ a: () => run }, (height) => {
    refusals -= 1;
    if (refusals >= 0) throw new WeftError(refusals % 2 === 0 ? 'VERIFY_QUEUE_FULL' : 'VERIFY_FAILED', 'later');
    return height + 1;
  });
  sync.heard('a', 1, never);
  sync.catchUpTo(1);
  for (let i = 0; i < 50; i += 1) await new Promise((resolve) => setImmediate(resolve));
  t.equal(state.height, 1);
  t.same(state.halted, []);
  t.same(state.blamed, []);
  await idle(sync);
});

t.test('stopping waits for no answer', { timeout: 2000 }, async (t) => {
  const sync = new Sync({
    ledger: { finalized: { header: { height: 0 } }, beginRun: () => undefined } as unknown as Ledger,
    askable: () => ['a'],
    fetchRun: () => new Promise(() => {}),
    fetchBodies: () => new Promise(() => {}),
    snapshotNeeded: () => t.fail('nothing came'),
    others: () => 3,
    imported: () => {
      t.fail('nothing came');
    },
    paused: () => false,
    blame: () => t.fail('nothing came'),
    halted: (code) => t.fail(code),
    faults: () => 0,
    isValidator: () => true,
    log: silent,
    monotonicMs: () => 0,
    sleep: () => new Promise(() => {}),
  });
  sync.heard('a', 9, 1);
  await sync.stop();
  t.pass();
});

/** Turns of the event loop until something holds. */
async function until(holds: () => boolean, turns = 2000): Promise<void> {
  for (let i = 0; i < turns && !holds(); i += 1) await new Promise((resolve) => setImmediate(resolve));
}

t.test(
  'a run longer than one answer: its bodies come in parts, from several peers when one stalls or lies',
  async (t) => {
    const long: Run = {
      headers: Array.from({ length: 9 }, () => new Uint8Array(1)),
      bodies: [new Uint8Array(1)],
      certificate: new Uint8Array(1),
    };
    const asked: string[] = [];
    const { sync, state } = setUp({ a: () => long, b: () => undefined, c: () => undefined }, undefined, 1, [], {
      fetchBodies: async (peer, from, count) => {
        asked.push(`${peer} ${from} ${count}`);
        if (peer === 'a') return from < 4 ? [new Uint8Array(1), new Uint8Array(1)] : undefined;
        return peer === 'b'
          ? [new Uint8Array([13])]
          : Array.from({ length: Math.min(3, count) }, () => new Uint8Array(1));
      },
    });
    for (const peer of ['a', 'b', 'c']) sync.heard(peer, 9, never);
    sync.catchUpTo(9);
    await until(() => state.height === 9);
    t.equal(state.height, 9);
    t.same(asked.slice(0, 2), ['a 2 8', 'a 4 6'], 'on with whoever brought the headers');
    t.ok(asked.some((each) => each.startsWith('c 4 ')));
    t.same(new Set(state.blamed), new Set(asked.some((each) => each.startsWith('b ')) ? ['b RUN_INVALID'] : []));
    await idle(sync);
  },
);

t.test('blocks that every peer has pruned: a snapshot is asked for, and for nothing less', async (t) => {
  const pruned = (): RunAnswer => ({ kind: 'pruned', fromHeight: 500 });
  const { sync, state } = setUp({ a: pruned, b: pruned, c: pruned }, undefined, 1);
  for (const peer of ['a', 'b', 'c']) sync.heard(peer, 900, never);
  sync.catchUpTo(900);
  await until(() => state.snapshots.length > 0);
  t.same(state.snapshots, [1]);
  t.same(new Set(state.asked), new Set(['a 1', 'b 1', 'c 1']), 'each was asked');
  t.ok(sync.catchingUp);
  t.equal(sync.behind, 900);
  await idle(sync);
  const one = setUp({ a: pruned, b: () => run, c: pruned }, undefined, 1);
  for (const peer of ['a', 'b', 'c']) one.sync.heard(peer, 5, never);
  one.sync.catchUpTo(5);
  await until(() => one.state.height === 5);
  t.equal(one.state.height, 5, 'one of them still has them');
  t.same(one.state.snapshots, []);
  await idle(one.sync);
});

t.test('one validator that has let go of blocks, or says so, costs no node its history', async (t) => {
  const pruned = (): RunAnswer => ({ kind: 'pruned', fromHeight: 500_000 });
  const alone = setUp({ liar: pruned, b: () => undefined, c: () => undefined }, undefined, 1);
  alone.sync.heard('liar', 500_001, 1);
  await until(() => alone.state.now > 60_000, 500);
  t.same(alone.state.snapshots, [], 'the others are connected, and have said nothing yet');
  await idle(alone.sync);
  const two = setUp({ a: pruned, b: pruned, mute: () => undefined, observer: pruned }, undefined, 1);
  for (const peer of ['a', 'b', 'mute']) two.sync.heard(peer, 900, never);
  for (let i = 0; i < 20 && two.state.snapshots.length === 0; i += 1) {
    two.sync.catchUpTo(900);
    await until(() => two.state.snapshots.length > 0, 200);
    two.state.now += 1000;
  }
  t.same(two.state.snapshots.slice(0, 1), [1], 'one of two is honest, and who shows nothing holds nothing');
  t.ok(two.state.now >= 3000, 'after whoever holds them had a moment to say so');
  await idle(two.sync);
});

t.test('a lone liar about its height: not believed for ever, and never taken for the live chain', async (t) => {
  const { sync, state } = setUp({ liar: () => undefined }, undefined, 1);
  sync.heard('liar', 1_000_000, 2);
  await until(() => sync.behind === 0);
  t.equal(sync.behind, 0, 'it said so and showed nothing');
  t.ok(sync.catchingUp, 'but that this node follows was told by nobody');
  sync.heard('b', 0, 2);
  t.ok(sync.catchingUp, 'the liar does not count: one word of an unknown peer is not enough either');
  sync.heard('c', 0, 2);
  t.notOk(sync.catchingUp, 'two say that there is nothing: one of them is honest');
  state.now += 1;
  await idle(sync);
});

t.test('liars who call the chain short do not hide that this node is behind', async (t) => {
  const { sync } = setUp({}, undefined, 1);
  sync.heard('low', 0, never);
  t.ok(sync.catchingUp, 'one word of four validators says nothing');
  sync.heard('b', 50, never);
  sync.heard('c', 51, never);
  t.equal(sync.behind, 50);
  t.ok(sync.catchingUp);
  await idle(sync);
});

t.test('whoever hears from nobody does not say that it follows', async (t) => {
  const { sync, state } = setUp({ a: () => run, b: () => run }, undefined, 1);
  for (const peer of ['a', 'b']) sync.heard(peer, 0, 2);
  sync.tick();
  t.notOk(sync.catchingUp);
  sync.forget('a');
  state.now += 5000;
  sync.tick();
  t.notOk(sync.catchingUp, 'a lane may break');
  state.now += 6000;
  sync.tick();
  t.ok(sync.catchingUp);
  sync.heard('a', 0, 2);
  t.notOk(sync.catchingUp, 'and by itself back');
  await idle(sync);
});

t.test('a goal that was given up is taken up again when the chain stands still and waits for this node', async (t) => {
  let broken = true;
  const { sync, state } = setUp(
    { a: () => (broken ? undefined : run), b: () => (broken ? undefined : run) },
    undefined,
    1,
  );
  for (const peer of ['a', 'b']) sync.heard(peer, 2, 1);
  for (let i = 0; i < 200; i += 1) await new Promise((resolve) => setImmediate(resolve));
  t.equal(state.height, 0);
  broken = false;
  for (const peer of ['a', 'b']) sync.forget(peer);
  // The lanes come back; nothing new is ever said, because nothing new is decided without this node.
  for (const peer of ['a', 'b']) sync.heard(peer, 2, 5);
  for (let i = 0; i < 120 && state.height < 2; i += 1) {
    state.now += 1000;
    sync.catchUpTo(0);
    sync.tick();
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
  t.equal(state.height, 2);
  await idle(sync);
});
