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

function sut(peers: readonly string[] = ['b']) {
  const sent: { peer: string; count: number; bytes: number; atMs: number; lane: string }[] = [];
  const clock = { nowMs: 1000, leader: 'leader' };
  const spread = new Spread({
    monotonicMs: () => clock.nowMs,
    nextLeader: () => clock.leader,
    send: (peer, envelopes, lane) => {
      const bytes = envelopes.reduce((sum, { length }) => sum + length, 0);
      sent.push({ peer, count: envelopes.length, bytes, atMs: clock.nowMs, lane });
      return bytes;
    },
  });
  const push = (n: number): void => {
    const { tx } = transaction(n);
    spread.push(peers, tx.envelopeId, tx.envelope);
  };
  return { sent, clock, spread, push };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

t.test('where little happens each transaction goes at once', async (t) => {
  const { sent, clock, spread, push } = sut();
  for (let n = 0; n < 5; n += 1) {
    push(n);
    await turn();
    clock.nowMs += 20;
  }
  t.same(
    sent.map(({ count, atMs }) => [count, atMs]),
    [0, 1, 2, 3, 4].map((n) => [1, 1000 + 20 * n]),
  );
  spread.close();
});

t.test('under load batches keep a distance, and who leads next hears of them first', async (t) => {
  const { sent, clock, spread, push } = sut(['leader', 'b']);
  for (let n = 0; n < 40; n += 1) push(n);
  await turn();
  t.same(
    sent.map(({ peer, count }) => [peer, count]),
    [
      ['leader', 40],
      ['b', 40],
    ],
  );
  clock.nowMs += 1;
  for (const n of [102, 103, 104]) {
    push(n);
    await turn();
  }
  t.equal(sent.length, 2, 'they wait for each other');
  const passed = async (ms: number, batches: number): Promise<void> => {
    clock.nowMs += ms;
    for (let tries = 0; sent.length < batches && tries < 200; tries += 1) await pause(5);
  };
  await passed(spreadLimits.gatherLeaderMs - 1, 3);
  t.match(sent.slice(2), [{ peer: 'leader', count: 3 }]);
  await pause(20);
  t.equal(sent.length, 3);
  await passed(spreadLimits.gatherMs - spreadLimits.gatherLeaderMs, 4);
  t.match(sent.slice(3), [{ peer: 'b', count: 3 }]);
  clock.nowMs += 1000;
  push(200);
  await turn();
  t.equal(sent.length, 6, 'and no more when it is over');
  spread.close();
});

/** Under load, where blocks come: all that was pushed so far has gone out. */
async function lean(peers: readonly string[]) {
  const all = sut(peers);
  all.spread.proposed([], false);
  for (let n = 0; n < 100; n += 1) all.push(n);
  const block = Array.from({ length: 100 }, (_, n) => transaction(n));
  all.spread.proposed(block, true);
  await turn();
  all.sent.length = 0;
  const passed = async (ms: number): Promise<void> => {
    all.clock.nowMs += ms;
    await pause(ms + 10);
  };
  return { ...all, passed };
}

t.test('where blocks come, who leads next gets transactions with our vote, the others with its proposal', async (t) => {
  const { sent, clock, spread, push, passed } = await lean(['leader', 'b', 'c']);
  t.same(sent, [], 'what stands in our own block goes to nobody');
  clock.leader = 'b';
  for (const n of [200, 201, 202]) push(n);
  await passed(5);
  t.same(sent, []);
  spread.proposed([], false);
  t.same(sent, [{ peer: 'b', count: 3, bytes: 300, atMs: clock.nowMs, lane: 'urgent' }], 'before the vote leaves');
  push(203);
  await passed(spreadLimits.leanLeaderMs);
  t.match(
    sent.slice(1),
    [{ peer: 'b', count: 1, lane: 'bulk' }],
    'it is about to propose: what comes now follows soon',
  );
  clock.leader = 'c';
  spread.proposed(
    [200, 201, 202].map((n) => transaction(n)),
    false,
  );
  t.match(sent.slice(2), [{ peer: 'c', count: 1, lane: 'urgent' }], 'only what is in no block');
  spread.proposed([transaction(203)], false);
  await passed(2 * spreadLimits.leanMs);
  t.equal(sent.length, 3, 'and nothing is left for anybody else');
  spread.close();
});

t.test('what no block takes up goes to all soon: a silent leader costs its timeout for all of them', async (t) => {
  const { sent, push, passed, spread } = await lean(['leader', 'b', 'c']);
  push(300);
  await passed(spreadLimits.leanMs);
  t.same(sent.map(({ peer }) => peer).sort(), ['b', 'c', 'leader']);
  spread.close();
});

t.test('large blocks do not fit into a proposal: everybody gets everything, as where no blocks come', async (t) => {
  const { sent, clock, spread, push } = await lean(['leader', 'b']);
  const tx = { ...transaction(1).tx, envelope: new Uint8Array(spreadLimits.leanBlockBytes) };
  spread.proposed([{ tx }], false);
  clock.nowMs += spreadLimits.gatherMs;
  push(400);
  await turn();
  t.same(sent.map(({ peer, lane }) => `${peer} ${lane}`).sort(), ['b bulk', 'leader bulk']);
  spread.close();
});

t.test('a full batch does not wait', async (t) => {
  const { sent, spread, push } = sut();
  for (let n = 0; n < 100; n += 1) push(n);
  await turn();
  for (let n = 101; n <= 800; n += 1) push(n);
  await turn();
  t.ok(sent.length >= 2 && (sent[1]?.count ?? 0) > 600, 'as many as fit into 64 KiB left at once');
  spread.close();
});

t.test('a peer that does not look at what it gets is sent no more than a window', async (t) => {
  const { sent, clock, spread, push } = sut();
  const bytes = (): number => sent.reduce((sum, each) => sum + each.bytes, 0);
  for (let n = 0; n < 10_000; n += 1) push(n);
  await turn();
  const { windowBytes, windowMs, batchBytes } = spreadLimits;
  t.ok(bytes() >= windowBytes && bytes() < windowBytes + batchBytes, `${bytes()} on the way`);
  const before = bytes();
  spread.taken('b', 2 * batchBytes);
  t.ok(bytes() > before && bytes() <= before + 3 * batchBytes, 'as much again as it has looked at');
  spread.taken('nobody', 1);
  spread.taken('b', Number.MAX_SAFE_INTEGER);
  const more = bytes();
  t.ok(more <= before + 3 * batchBytes + windowBytes + batchBytes, 'a liar gets a window');
  clock.nowMs += windowMs;
  push(20_000);
  await turn();
  t.equal(bytes(), more, 'it may be slow');
  clock.nowMs += windowMs;
  push(20_001);
  await turn();
  t.ok(bytes() > more, 'what was not told of for so long counts as lost');
  spread.lost('b');
  clock.nowMs += 100;
  const lost = bytes();
  push(20_002);
  await turn();
  t.ok(bytes() > lost);
  spread.close();
});

t.test('what cannot be sent is left to sending again', async (t) => {
  let tries = 0;
  const spread = new Spread({
    monotonicMs: () => 1000,
    nextLeader: () => undefined,
    send: () => {
      tries += 1;
      return false;
    },
  });
  const { tx } = transaction(1);
  spread.push(['b'], tx.envelopeId, tx.envelope);
  await turn();
  await turn();
  t.equal(tries, 1);
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
