// What nodes tell an agent: hints, of which each node may give so many, and no more at a time.
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { Feed } from '../../src/agent/feed.ts';
import { Rechecks, rechecksMax } from '../../src/agent/routes/rechecks.ts';
import type { IntentAnswer } from '../../src/node/api.ts';
import { rpcConfig } from '../../src/node/config.ts';
import { createRpcServer } from '../../src/rpc/server.ts';
import { statementType } from '../../src/token/grant.ts';
import { fakeIntent, fakeNode } from '../rpc/fakeNode.ts';

const audience = 'keeper';
const idOf = (n: number): string => n.toString(16).padStart(64, '0');
const route = (n: number, change: Partial<IntentAnswer> = {}): IntentAnswer =>
  fakeIntent({ intent: idOf(n), status: 'granted', action: 'route.open', audience, ...change });
const granted = (n: number) => ({
  topic: 'records' as const,
  height: 1,
  index: n,
  record: { _type: statementType, predicate: { action: 'route.open', audience, intent: idOf(n) } },
});

async function until(test: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 20_000; !test(); await sleep(10))
    if (performance.now() > deadline) throw new Error('never');
}

async function node(t: { teardown(work: () => unknown): void }) {
  const api = fakeNode();
  const server = await createRpcServer({ api, config: rpcConfig({ port: 0, requestsPerSecond: 0 }) });
  t.teardown(() => server.close());
  return { api, url: server.url };
}

t.test('what is for this account is found, however many others are decided after it', async (t) => {
  const { api, url } = await node(t);
  const mine = Array.from({ length: 50 }, (_, n) => route(n));
  api.knownIntents.push(...mine, ...Array.from({ length: 300 }, (_, n) => route(1000 + n, { audience: 'other' })));
  const found = new Set<string>();
  const feed = new Feed([url], audience, {
    intent: async ({ intent }) => void found.add(intent),
    changed: () => undefined,
    lost: () => undefined,
  });
  t.teardown(() => feed.close());
  await until(() => found.size >= mine.length);
  t.strictSame([...found].sort(), mine.map(({ intent }) => intent).sort());
  t.equal(feed.dropped, 0);
});

t.test('a node that makes up hints without end holds up itself alone', async (t) => {
  const [liar, honest] = [await node(t), await node(t)];
  const lies = 5000;
  liar.api.intent = (intent) => route(Number.parseInt(intent, 16));
  const looked: string[] = [];
  let [now, most] = [0, 0];
  const { promise: never, resolve } = Promise.withResolvers<void>();
  const feed = new Feed([liar.url, honest.url], audience, {
    // What is made up is asked about for long.
    intent: async ({ intent }) => {
      looked.push(intent);
      if (Number.parseInt(intent, 16) >= 10 * lies) return;
      now += 1;
      most = Math.max(most, now);
      await never;
      now -= 1;
    },
    changed: () => undefined,
    lost: () => undefined,
  });
  t.teardown(() => feed.close());
  await until(() => liar.api.subscribers() >= 5 && honest.api.subscribers() >= 5);
  // No faster than a node sends: it cuts off whoever reads too slowly, and then nothing more would come.
  for (let n = 1; n <= lies && feed.dropped < 100; n += 1) {
    liar.api.fire(granted(n));
    if (n % 20 === 0) await sleep(1);
  }
  await until(() => feed.dropped >= 100);
  await until(() => most >= 4);
  honest.api.knownIntents.push(route(10 * lies));
  honest.api.fire(granted(10 * lies));
  await until(() => looked.includes(idOf(10 * lies)));
  t.equal(most, 4, 'four at a time');
  t.equal(looked.length, 5);
  feed.close();
  resolve();
});

t.test('what was taken back is asked about, and a node that cries without end is not heard each time', async (t) => {
  const { api, url } = await node(t);
  const changed: (string | undefined)[] = [];
  const feed = new Feed([url], audience, {
    intent: async () => undefined,
    changed: (grant) => changed.push(grant),
    lost: () => undefined,
  });
  t.teardown(() => feed.close());
  await until(() => api.subscribers() >= 5);
  const fire = (type: string, record: object) =>
    api.fire({ topic: 'records', height: 1, index: 1, record: { type, ...record } });
  fire('governance.effective', {});
  await until(() => changed.length >= 1);
  for (let n = 0; n < 3000; n += 1) {
    fire('intents.cancelled', { intent: idOf(n) });
    if (n % 20 === 0) await sleep(1);
  }
  await until(() => changed.includes(idOf(10)));
  await sleep(300);
  // Each record reaches each of five subscriptions here: this node does not filter.
  t.ok(changed.length < 300, `${changed.length} of 3000`);
});

t.test(
  'one that may have been taken back is asked about until it is closed, all together when there are many',
  async (t) => {
    const open = new Set([idOf(1)]);
    const asked: string[] = [];
    let all = 0;
    const rechecks = new Rechecks({
      one: async (grant) => {
        asked.push(grant);
        if (asked.length === 3) open.delete(grant);
        return open.has(grant);
      },
      all: () => {
        all += 1;
      },
    });
    rechecks.one(idOf(1));
    rechecks.one(idOf(1));
    await until(() => rechecks.running === 0);
    t.strictSame(asked, [idOf(1), idOf(1), idOf(1)]);
    t.equal(all, 0);
    for (let n = 0; n < 1000; n += 1) {
      open.add(idOf(n));
      rechecks.one(idOf(n));
    }
    t.equal(rechecks.running, rechecksMax);
    // News came while they were asked about: the last question may have been too early for it.
    await until(() => all >= 10);
    rechecks.close();
    await until(() => rechecks.running === 0);
    t.equal(all, 10, 'once more, with the questions after it');
  },
);
