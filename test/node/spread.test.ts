import t from 'tap';
import type { PreparedTx } from '../../src/ledger/types.ts';
import { Mempool } from '../../src/node/mempool.ts';
import { Spread, spreadLimits } from '../../src/node/spread.ts';

/** Only what mempool and spread read of a transaction. */
function transaction(n: number): PreparedTx {
  const id = n.toString(16).padStart(64, '0');
  const tx = { txId: id, envelopeId: id, account: 'alice', envelope: new Uint8Array(100), expires: 1e15 };
  return { tx, keys: [] } as unknown as PreparedTx;
}

function sut() {
  const sent: { peer: string; count: number; atMs: number }[] = [];
  const clock = { nowMs: 1000 };
  const spread = new Spread({
    monotonicMs: () => clock.nowMs,
    send: async (peer, envelopes) => {
      sent.push({ peer, count: envelopes.length, atMs: clock.nowMs });
    },
  });
  const push = (n: number): void => {
    const { tx } = transaction(n);
    spread.push(['b'], tx.envelopeId, tx.envelope);
  };
  return { sent, clock, spread, push };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

t.test('the first transaction goes at once; those that follow closely share one batch', async (t) => {
  const { sent, clock, spread, push } = sut();
  push(1);
  await turn();
  t.same(sent, [{ peer: 'b', count: 1, atMs: 1000 }]);
  clock.nowMs += 1;
  for (const n of [2, 3, 4]) {
    push(n);
    await turn();
  }
  t.equal(sent.length, 1, 'they wait for each other');
  clock.nowMs += spreadLimits.gatherMs;
  for (let tries = 0; sent.length < 2 && tries < 200; tries++) await pause(5);
  t.equal(sent[1]?.count, 3);
  spread.close();
});

t.test('a full batch does not wait', async (t) => {
  const { sent, spread, push } = sut();
  push(0);
  await turn();
  for (let n = 1; n <= 700; n++) push(n);
  await turn();
  t.ok(sent.length >= 2 && (sent[1]?.count ?? 0) > 600, 'as many as fit into 64 KiB left at once');
  spread.close();
});

t.test('what stays pending goes out again (W5), ever more seldom', async (t) => {
  const { sent, clock, spread } = sut();
  const mempool = new Mempool();
  mempool.add(transaction(1), clock.nowMs, true);
  const times: [string, number][] = [];
  for (let ms = 0; ms <= 20_000; ms += 100) {
    clock.nowMs = 1000 + ms;
    const before = sent.length;
    spread.sendAgain(mempool, 'leader', ['leader', 'b', 'c']);
    await turn();
    for (const { peer } of sent.slice(before)) times.push([peer, ms]);
  }
  t.same(times[0], ['leader', 300]);
  const toAll = times.filter(([peer]) => peer === 'c').map(([, ms]) => ms);
  t.ok((toAll[0] ?? 0) >= 1000 && (toAll[0] ?? Number.POSITIVE_INFINITY) <= 2000, `to all at ${toAll[0]} ms`);
  t.ok(toAll.length <= 5, 'a backlog is not made worse');
  spread.close();
});

t.test('a transaction of a peer is left to that peer at first', async (t) => {
  const { sent, clock, spread } = sut();
  const mempool = new Mempool();
  mempool.add(transaction(1), clock.nowMs, false);
  clock.nowMs += spreadLimits.foreignAgainMs;
  spread.sendAgain(mempool, 'leader', ['leader', 'b']);
  await turn();
  t.same(sent, []);
  clock.nowMs += spreadLimits.leaderAgainMs;
  spread.sendAgain(mempool, 'leader', ['leader', 'b']);
  await turn();
  t.same(
    sent.map(({ peer }) => peer),
    ['leader'],
  );
  spread.close();
});
