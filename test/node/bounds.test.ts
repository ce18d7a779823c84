// Floods: what others can fill stays within its bound, drops by its rule and counts what it drops (docs/bounds.md).
import t from 'tap';
import { Fates } from '../../src/node/fates.ts';
import { FinalityWindow } from '../../src/node/metrics.ts';
import { Turns } from '../../src/node/turns.ts';
import { RateLimit } from '../../src/rpc/limits.ts';
import { Pending } from '../../src/rpc/pending.ts';

t.test('turns: what is done at once is not done without bound: the event loop has a turn in between', async (t) => {
  const turns = new Turns({ atOnce: 3, perPeer: 2, waitingMax: 1000 });
  const done: string[] = [];
  const take = (peer: string) => turns.take(peer, () => done.push(peer));
  const all = [...Array.from({ length: 9 }, () => take('flood')), take('other'), take('third')];
  t.same(done, ['flood', 'flood', 'other'], 'three, two of them of one peer');
  let turnsTaken = 0;
  while (done.length < 11 && turnsTaken < 20) {
    const before = done.length;
    await new Promise((resolve) => setImmediate(resolve));
    turnsTaken += 1;
    t.ok(done.length - before <= 3);
  }
  await Promise.all(all);
  t.ok(done.indexOf('third') <= 4, 'whoever waits has its turn before the rest of the flood');
  const failing = turns.take('flood', () => {
    throw new Error('no');
  });
  await t.rejects(failing, { message: 'no' });
  t.type(await turns.take('flood', () => 7), 'number', 'and its place is free again');
});

t.test('turns: one peer waits for itself, the others have their turn, what is too much is counted', async (t) => {
  const turns = new Turns({ atOnce: 1, perPeer: 1, waitingMax: 8 });
  let release: () => void = () => undefined;
  const first = turns.take('flood', () => new Promise<string>((resolve) => (release = () => resolve('first'))));
  await new Promise((resolve) => setTimeout(resolve, 10));
  const order: string[] = [];
  const work = (name: string) => async () => {
    order.push(name);
    return name;
  };
  const answers = Array.from({ length: 10_000 }, (_, i) => turns.take('flood', work(`flood ${i}`)));
  const other = turns.take('other', work('other'));
  t.equal(turns.dropped, 10_000 - 8);
  release();
  t.equal(await first, 'first');
  t.equal(await other, 'other');
  t.ok(order.indexOf('other') <= 1, `its turn came after ${order.indexOf('other')} of the flood`);
  t.equal((await Promise.all(answers)).filter((each) => each !== undefined).length, 8);
});

t.test('fates: the oldest are forgotten', (t) => {
  const fates = new Fates();
  for (let i = 0; i < 500_010; i += 1) fates.saw(String(i), 1_000_000 + i);
  t.equal(fates.expiryOf('9'), undefined);
  t.equal(fates.expiryOf('10'), 1_000_010);
  t.end();
});

t.test('rates of addresses: as many as may be remembered, the longest idle goes first', (t) => {
  const limit = new RateLimit({ perSecond: 1, burst: 1, keysMax: 100, now: () => 0 });
  for (let i = 0; i < 100_000; i += 1) limit.take(`10.0.${i}`);
  t.equal(limit.size, 100);
  t.ok(limit.take('10.0.99999') > 0, 'the newest is remembered');
  t.end();
});

t.test('requests that wait: one client takes a quarter, all of them the whole, the rest is told so', async (t) => {
  const pending = new Pending(100);
  const refused: string[] = [];
  const ask = (client: string) =>
    void pending
      .run(client, () => new Promise(() => undefined))
      .catch((error: { code: string }) => refused.push(error.code));
  for (let i = 0; i < 1000; i += 1) ask('one');
  t.equal(pending.size, 25);
  for (let i = 0; i < 1000; i += 1) ask(`client ${i}`);
  t.equal(pending.size, 100);
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(refused.length, 1900);
  t.same(new Set(refused), new Set(['RPC_BUSY']));
  pending.close();
});

t.test('the window over finality', (t) => {
  const window = new FinalityWindow();
  for (let i = 0; i < 100_000; i += 1) window.add(i);
  t.ok((window.quantile(0) ?? 0) >= 100_000 - 512);
  t.end();
});
