import { readFileSync, watch } from 'node:fs';
import { join as pathOf } from 'node:path';
import t from 'tap';
import { auditArchive } from '../../src/audit/audit.ts';
import { exportArchive } from '../../src/ledger/exportArchive.ts';
import { loadGenesis } from '../../src/ledger/genesis.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { parseNote } from '../../src/log/note.ts';
import { verifyToken } from '../../src/token/node.ts';
import { change, entryOf, join, renewVoteKey, wireOverEpochs } from './joining.ts';
import { Load } from './load.ts';
import { TestNetwork } from './network.ts';

t.setTimeout(290_000);

t.test(
  'one validator becomes four and seven and one again, under load and with what goes wrong meanwhile',
  { timeout: 285_000 },
  async (t) => {
    const network = await TestNetwork.make({
      validators: 1,
      record: true,
      consensus: { idleBlockMs: 2000, leaderTimeoutMs: 1000, recosignMs: 500, skipMs: 6000 },
    });
    t.teardown(() => network.remove());
    network.startAll();
    await network.ready();

    const joined = async (...names: string[]): Promise<string[]> => {
      for (const name of names) await join(network, name);
      for (const name of names) network.start(name);
      return names;
    };
    const entries = (names: readonly string[]): Promise<object[]> =>
      Promise.all(names.map((name) => entryOf(network, name)));

    // 1 → 4
    const four = ['v1', ...(await joined('v2', 'v3', 'v4'))];
    t.equal(
      await change(network, { kind: 'validators', set: await entries(four.slice(1)), remove: [] } as never, four),
      2,
    );
    await network.ready(four);
    const load = new Load(network);
    load.start(4);
    await load.more(10);

    // 4 → 7, under load
    const seven = [...four, ...(await joined('v5', 'v6', 'v7'))];
    t.equal(
      await change(network, { kind: 'validators', set: await entries(seven.slice(4)), remove: [] } as never, seven),
      3,
    );
    await network.ready(seven);
    await load.more(10);

    // Whoever leads leaves.
    const leader = (await network.until(() => true, { names: ['v1'] }))[0]?.leader ?? '';
    const six = seven.filter((name) => name !== leader);
    t.equal(await change(network, { kind: 'validators', set: [], remove: [leader] } as never, six), 4);
    await network.ready(six);
    await network.until(([status]) => status?.notVoting === 'NODE_UNKNOWN', { names: [leader] });
    await load.more(10);

    // A new vote key, and a node that is killed in the middle of the change: as soon as its log says that the epoch ended.
    const [renewing = '', victim = '', ...others] = six.filter((name) => name !== 'v1');
    await network.signal(renewing, 'SIGTERM');
    const next = await renewVoteKey(network, renewing);
    network.start(renewing);
    await network.ready(six);
    const killed = killWhen(network, victim, '"epoch":5');
    const set = [await entryOf(network, renewing, next)];
    const alive = six.filter((name) => name !== victim);
    t.equal(await change(network, { kind: 'validators', set, remove: [] } as never, alive), 5);
    await killed;
    await network.ready(alive);
    network.start(victim);
    await network.ready(six);
    await load.more(10);

    // Other parameters, while one sleeps.
    const sleeper = others[0] ?? '';
    await network.signal(sleeper, 'SIGKILL');
    const awake = six.filter((name) => name !== sleeper);
    const { parameters } = (await network.client('v1').call('state.get', { path: 'governance/consensus/current' }))
      .value as { parameters: Record<string, number> };
    const changed = { ...parameters, maxTxLifetimeMs: 200_000, cosignEveryBlocks: 3 };
    t.equal(await change(network, { kind: 'parameters', parameters: changed } as never, awake), 6);
    network.start(sleeper);
    await network.ready(six);
    await load.more(10);

    // Back to one, all others at once.
    const last = sleeper;
    const gone = six.filter((name) => name !== last);
    t.equal(await change(network, { kind: 'validators', set: [], remove: gone } as never, [last]), 7);
    await network.ready([last]);
    await load.more(5);
    await load.stop();

    const client = network.client(last);
    for (const { id, height, index, by } of load.told) {
      const status = await client.transaction(id);
      if (status.status !== 'finalized' || status.height !== height || status.index !== index)
        t.fail(`${by} reported ${id} final at ${height}: ${JSON.stringify(status)}`);
    }
    t.same(load.contradictions, []);
    const notes = await network
      .until(() => true, { names: [last] })
      .then(async () => {
        const found: string[] = [];
        for (let epoch = 1; epoch <= 6; epoch += 1)
          found.push(await eventually(async () => (await client.call('log.closing', { epoch })).checkpoint));
        return found;
      });
    t.equal(new Set(notes.map((note) => parseNote(note).text)).size, 6, 'the end of each epoch, cosigned');

    // What was final in the first epochs has a token under the trust of the last.
    const { trust } = await client.call('chain.trust', {});
    const first = load.told[0]!;
    const { token } = await client.call('token.get', { index: first.index });
    t.equal(verifyToken(token, { trust }).index, first.index);

    await network.signalAll('SIGTERM');
    const genesis = loadGenesis(new Uint8Array(readFileSync(network.net.genesis)));
    const ledger = await Ledger.open({ dir: network.dataOf(last), genesis });
    const file = pathOf(network.dir, 'all.weft');
    await exportArchive(ledger, file).finally(() => ledger.close());
    t.match(await auditArchive(file), { ok: true, epochs: 7, closings: 6 });
    const wire = await wireOverEpochs(network, last);
    t.same(wire.conflicts, [], `${wire.votes} votes, ${wire.certificates} certificates`);
    const words = network.complaints().filter((line) => !/NODE_UNKNOWN/.test(line));
    t.same(words, []);
  },
);

async function eventually<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await ask();
    } catch (error) {
      if (tries > 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

/** SIGKILL as soon as the node's log says this. */
async function killWhen(network: TestNetwork, name: string, words: string): Promise<void> {
  const log = network.logOf(name);
  const from = readFileSync(log, 'utf8').length;
  await new Promise<void>((resolve) => {
    const watcher = watch(log, () => {
      if (!readFileSync(log, 'utf8').slice(from).includes(words)) return;
      watcher.close();
      resolve();
    });
  });
  await network.signal(name, 'SIGKILL');
}
