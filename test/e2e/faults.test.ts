// One validator at a time dies, sleeps, is stopped, loses its journal's end or everything: the others go on, and it comes back as far as
// it may. WEFT_TEST_LONG=1 makes the idle times a minute. One network for all; the later subtests leave it with three votes.
import { cpSync, readdirSync, renameSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { NodeStatus } from '../../schemas/types/rpc.ts';
import type { Load } from './load.ts';
import { TestNetwork } from './network.ts';
import { wireOf } from './together.ts';
import { votesAgain, underLoad as workUnderLoad } from './underLoad.ts';
import { newVotes, wireBytes } from './wire.ts';

const timeout = 300_000;
/** Shorter than the defaults, by the same inequalities: skipMs ≥ 3 × idleBlockMs, idleBlockMs > leaderTimeoutMs. */
const consensus = { idleBlockMs: 5000, skipMs: 15_000 };
const idleMs = process.env['WEFT_TEST_LONG'] === undefined ? 11_000 : 60_000;

const network = await TestNetwork.make({ record: true, consensus });
t.teardown(() => network.remove());
network.startAll();
await network.ready();

const underLoad = (t: Test, work: (load: Load) => Promise<void>): Promise<void> => workUnderLoad(network, t, work);

t.test('one of four is killed under load: finality goes on; restarted, it catches up and votes', { timeout }, (t) =>
  underLoad(t, async (load) => {
    await network.signal('v2', 'SIGKILL');
    await load.more(20);
    network.start('v2');
    await votesAgain(network, t, 'v2', load);
  }),
);

t.test('one of four is suspended for seconds: it catches up and votes', { timeout }, (t) =>
  underLoad(t, async (load) => {
    await network.signal('v3', 'SIGSTOP');
    const wake = sleep(4000);
    await load.more(10);
    await wake;
    await network.signal('v3', 'SIGCONT');
    await votesAgain(network, t, 'v3', load);
  }),
);

t.test('a node that is told to stop under load ends by itself, in order', { timeout }, (t) =>
  underLoad(t, async (load) => {
    const since = performance.now();
    await network.signal('v1', 'SIGTERM');
    const tookMs = performance.now() - since;
    t.comment(`stopped in ${Math.round(tookMs)} ms`);
    t.ok(tookMs < 10_000, 'without being killed; 2 s on a quiet machine');
    network.start('v1');
    await votesAgain(network, t, 'v1', load);
  }),
);

t.test('a second process on the same data refuses to start and says why', { timeout }, async (t) => {
  const { code, said } = await network.runOnce('v1');
  t.equal(code, 1);
  t.match(said, /DATA_LOCKED/);
  t.ok((await network.status('v1'))?.notVoting === '', 'the first one goes on');
});

/** All of `names` rest in one view whose heartbeat is not due soon. */
async function justAfterHeartbeat(names: readonly string[]): Promise<NodeStatus> {
  const [first] = await network.until(same, { names });
  const height = first?.finalized.height ?? 0;
  const [status] = await network.until((all) => same(all) && all.every(({ finalized }) => finalized.height > height), {
    names,
  });
  if (status === undefined) throw new Error('nobody asked');
  return status;
}

const same = (all: readonly NodeStatus[]): boolean =>
  new Set(all.map(({ view, finalized }) => `${view} ${finalized.height}`)).size === 1;

/** Submits one transaction while all rest in `view`: is it final in that very view, so that nobody had to give a leader up? */
async function finalIn(view: number, at: string): Promise<boolean> {
  const status = await network.client(at).submitAndWait(await network.packet(), { allowRefused: true });
  return (await network.client(at).block(status.height)).view === view;
}

/** A machine that is busy with something else may starve a leader for a second: it holds if it held once of three times. */
async function onceOfThree(attempt: () => Promise<boolean>): Promise<boolean> {
  return (await attempt()) || (await attempt()) || (await attempt());
}

t.test('an idle network makes heartbeats only, and takes the next transaction at once', { timeout }, async (t) => {
  const before = (await justAfterHeartbeat(network.names)).finalized;
  await sleep(idleMs);
  const after = (await justAfterHeartbeat(network.names)).finalized;
  let heartbeats = 0;
  let { time } = before;
  for (let height = before.height + 1; height <= after.height; height += 1) {
    const block = await network.client('v1').block(height);
    t.equal(block.transactions, 0);
    // A block soon after another only helps that one to be finalized (W6).
    if (block.time - time > 1000) heartbeats += 1;
    time = block.time;
  }
  const most = Math.ceil((after.time - before.time) / consensus.idleBlockMs);
  t.ok(heartbeats > 0 && heartbeats <= most, `${heartbeats} heartbeats in ${after.time - before.time} ms`);
  t.ok(after.height - before.height <= 4 * most, `${after.height - before.height} blocks`);
  const atOnce = await onceOfThree(async () => finalIn((await justAfterHeartbeat(network.names)).view, 'v1'));
  t.ok(atOnce, 'final in the view in which it was submitted');
});

t.test(
  'the leader dies while the network is idle: the next transaction waits for no timeout',
  { timeout },
  async (t) => {
    const atOnce = await onceOfThree(async () => {
      const { leader, view } = await justAfterHeartbeat(network.names);
      await network.signal(leader, 'SIGKILL');
      const names = network.names.filter((name) => name !== leader);
      const gone = (all: NodeStatus[]): boolean =>
        same(all) && all.every((each) => each.view > view && each.leader !== leader);
      const [after] = await network.until(gone, { names });
      const held = await finalIn(after?.view ?? 0, names[0] ?? '');
      network.start(leader);
      await network.ready();
      return held;
    });
    t.ok(atOnce, 'the dead leader was given up before there was work, and the next one took it');
  },
);

/** A validator that lost votes: what it says of itself until it has caught up, and that it never votes again. */
async function followsOnly(t: Test, name: string, load: Load, code: string): Promise<void> {
  const wire = wireBytes(network.wireOf(name));
  network.start(name);
  const dishonest: string[] = [];
  await network.until(
    ([status]) => {
      if (status !== undefined && status.behind > 1 && !status.catchingUp) dishonest.push(JSON.stringify(status));
      return status?.notVoting === code && !status.catchingUp;
    },
    { names: [name] },
  );
  t.same(dishonest, [], 'never behind without saying so');
  await load.more(10);
  await network.until((all) => {
    const heights = all.map(({ finalized }) => finalized.height);
    return Math.max(...heights) - Math.min(...heights) <= 1;
  });
  const signed = newVotes(network.wireOf(name), wire).map(({ kind, subject }) => `${kind} in view ${subject.view}`);
  t.same(signed, [], `${name} follows and does not vote`);
}

/** Kills `v4`, lets `damage` loose on its journal folder, and says why it does not vote then; puts everything back in the end. */
async function afterDamage(t: Test, load: Load, damage: (journal: string) => void): Promise<string | undefined> {
  await network.signal('v4', 'SIGKILL');
  const data = network.dataOf('v4');
  cpSync(data, `${data}-whole`, { recursive: true });
  damage(join(data, 'journal'));
  network.start('v4');
  const [status] = await network.until(([status]) => /^$|^JOURNAL_/.test(status?.notVoting ?? '?'), { names: ['v4'] });
  await load.more(10);
  if (status?.notVoting === '') {
    rmSync(`${data}-whole`, { recursive: true });
    return '';
  }
  // It signed nothing since: the whole journal is still the truth.
  await network.signal('v4', 'SIGKILL');
  rmSync(data, { recursive: true });
  renameSync(`${data}-whole`, data);
  network.start('v4');
  await votesAgain(network, t, 'v4', load);
  return status?.notVoting;
}

t.test('a journal that lost its end: whether it may vote or not, it contradicts itself nowhere', { timeout }, (t) =>
  underLoad(t, async (load) => {
    const reason = await afterDamage(t, load, (journal) => {
      const [segment = ''] = readdirSync(journal).sort().reverse();
      const path = join(journal, segment);
      truncateSync(path, Math.max(Math.floor(statSync(path).size / 4), statSync(path).size - 1_000_000));
    });
    // If what is lost lies below the last finalized view, nothing depends on it; if not, the others remember it.
    t.match(reason, /^$|^JOURNAL_ROLLED_BACK$/);
  }),
);

t.test('a journal that is gone while the store is there: no vote', { timeout }, (t) =>
  underLoad(t, async (load) => {
    t.equal(await afterDamage(t, load, (journal) => rmSync(journal, { recursive: true })), 'JOURNAL_LOST');
  }),
);

t.test('a data folder from a backup: whole, but old, so no vote by that key', { timeout }, (t) =>
  underLoad(t, async (load) => {
    const data = network.dataOf('v4');
    await network.signal('v4', 'SIGTERM');
    cpSync(data, `${data}-old`, { recursive: true });
    network.start('v4');
    await votesAgain(network, t, 'v4', load);
    await network.signal('v4', 'SIGKILL');
    rmSync(data, { recursive: true });
    renameSync(`${data}-old`, data);
    await followsOnly(t, 'v4', load, 'JOURNAL_ROLLED_BACK');
  }),
);

t.test('an empty data folder: it catches up as a follower, and a restart gives no vote back', { timeout }, (t) =>
  underLoad(t, async (load) => {
    await network.signal('v4', 'SIGKILL');
    rmSync(network.dataOf('v4'), { recursive: true });
    // The test before retired the key, and what lies beside the key file does not forget it.
    await followsOnly(t, 'v4', load, 'JOURNAL_ROLLED_BACK');
    await network.signal('v4', 'SIGTERM');
    await followsOnly(t, 'v4', load, 'JOURNAL_ROLLED_BACK');
  }),
);

t.test('over all of it: no two votes conflict, and no node complained', { timeout }, async (t) => {
  const wire = wireOf(network);
  t.ok(wire.votes > 0, `${wire.votes} votes and ${wire.certificates} certificates were on the wire`);
  t.same(wire.conflicts, []);
  const rolledBack = (line: string): boolean => /"node":"v4".*JOURNAL_ROLLED_BACK/.test(line);
  t.same(
    network.complaints().filter((line) => !rolledBack(line)),
    [],
  );
});
