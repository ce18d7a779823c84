import t from 'tap';
import { Backoff, Budget, Penalty } from '../../src/net/lanes/pace.ts';
import { Presence } from '../../src/net/lanes/presence.ts';
import { LaneQueue, type Queued } from '../../src/net/lanes/queue.ts';

const vote = (kind: number, view: number, size = 10): Queued => ({
  kind,
  payload: new Uint8Array(size),
  hint: { class: 'vote', view },
});
const certificate = (kind: number, view: number, displaces: number): Queued => ({
  kind,
  payload: new Uint8Array(10),
  hint: { class: 'certificate', view, displaces },
});

function drain(queue: LaneQueue): string[] {
  const out: string[] = [];
  for (let item = queue.shift(); item !== undefined; item = queue.shift())
    out.push(`${item.kind}@${item.hint.view ?? '-'}`);
  return out;
}

t.test('first in, first out below the bounds', async (t) => {
  const queue = new LaneQueue({ messagesMax: 4, bytesMax: 100 });
  t.ok(queue.push(vote(1, 9)));
  t.ok(queue.push(vote(1, 3)));
  t.ok(queue.push(certificate(5, 3, 1)));
  t.equal(queue.bytes, 30);
  t.same(drain(queue), ['1@9', '1@3', '5@3'], 'nothing is displaced while there is room');
  t.equal(queue.dropped, 0);
  t.equal(queue.bytes, 0);
});

t.test('on overflow the newest views of each kind stay', async (t) => {
  const queue = new LaneQueue({ messagesMax: 4, bytesMax: 1000 });
  for (const view of [3, 1, 2, 4, 5]) queue.push(vote(1, view));
  t.same(drain(queue), ['1@3', '1@2', '1@4', '1@5']);
  t.equal(queue.dropped, 1);
  for (const view of [5, 6, 7]) queue.push(vote(1, view));
  queue.push(vote(2, 1));
  t.equal(queue.push(vote(1, 4)), false, 'older than all of its kind: itself dropped');
  t.equal(queue.push(vote(2, 2)), true, 'a rare kind displaces the frequent one');
  t.same(drain(queue), ['1@6', '1@7', '2@1', '2@2']);
});

t.test('a message without a view is the first to go within its kind', async (t) => {
  const queue = new LaneQueue({ messagesMax: 3, bytesMax: 1000 });
  queue.push(vote(1, 1));
  queue.push({ kind: 1, payload: new Uint8Array(1), hint: {} });
  queue.push(vote(1, 2));
  queue.push(vote(1, 3));
  t.same(drain(queue), ['1@1', '1@2', '1@3']);
});

t.test('a certificate displaces its votes on overflow', async (t) => {
  const queue = new LaneQueue({ messagesMax: 5, bytesMax: 1000 });
  queue.push(vote(1, 7));
  queue.push(vote(1, 7));
  queue.push(vote(2, 7));
  queue.push(vote(1, 8));
  queue.push(vote(1, 6));
  t.ok(queue.push(certificate(5, 7, 1)));
  t.same(drain(queue), ['2@7', '1@8', '1@6', '5@7'], 'only votes of its kind and view');
  t.equal(queue.dropped, 2);
});

t.test('bytes are bounded too: the kind that takes the most of them pays', async (t) => {
  const queue = new LaneQueue({ messagesMax: 100, bytesMax: 1000 });
  queue.push(vote(1, 1, 10));
  queue.push(vote(2, 1, 600));
  queue.push(vote(2, 2, 390));
  t.ok(queue.push(vote(3, 1, 500)));
  t.same(drain(queue), ['1@1', '2@2', '3@1']);
  t.equal(queue.push(vote(1, 1, 2000)), false, 'larger than the whole queue');
  t.equal(queue.length, 0);
});

t.test('bounds hold whatever is pushed', async (t) => {
  const queue = new LaneQueue({ messagesMax: 16, bytesMax: 4096 });
  let worst = 0;
  for (let index = 0; index < 5000; index++) {
    const random = Math.random();
    const view = Math.floor(Math.random() * 50);
    if (random < 0.2) queue.push(certificate(5, view, 1));
    else if (random < 0.9) queue.push(vote(1 + Math.floor(random * 3), view, Math.floor(Math.random() * 900)));
    else queue.shift();
    worst = Math.max(worst, queue.bytes);
    if (queue.length > 16 || queue.bytes > 4096) t.fail('above its bound');
  }
  t.ok(worst > 2000);
  const bytes = queue.bytes;
  let sum = 0;
  for (let item = queue.shift(); item !== undefined; item = queue.shift()) sum += item.payload.length;
  t.equal(sum, bytes);
});

t.test('budget, backoff, penalty', async (t) => {
  const budget = new Budget(10, 3, 0);
  t.same([budget.take(1, 0), budget.take(2, 0), budget.take(1, 0)], [true, true, false]);
  t.equal(budget.take(1, 99), false);
  t.equal(budget.take(1, 101), true);
  t.equal(budget.take(4, 100_000), false, 'never above the burst');
  t.equal(budget.take(3, 100_000), true);

  const backoff = new Backoff(100, 350);
  const waits = [backoff.next(), backoff.next(), backoff.next(), backoff.next()];
  for (const [index, most] of [100, 200, 350, 350].entries()) {
    t.ok(waits[index]! <= most && waits[index]! >= most / 2, `${waits[index]} within ${most / 2}…${most}`);
  }
  backoff.reset();
  t.ok(backoff.next() <= 100);

  const penalty = new Penalty(100, 400);
  t.equal(penalty.leftMs(5), 0);
  penalty.strike(1000);
  t.equal(penalty.leftMs(1000), 100);
  penalty.strike(1100);
  t.equal(penalty.leftMs(1100), 200);
  for (let index = 0; index < 5; index++) penalty.strike(2000);
  t.equal(penalty.leftMs(2000), 400, 'bounded');
  penalty.strike(2801);
  t.equal(penalty.leftMs(2801), 100, 'forgiven after a good while');
});

t.test('presence', async (t) => {
  const presence = new Presence(1000);
  presence.watch(['a', 'b', 'c'], 0);
  t.equal(presence.heardMs('a', 10), Number.POSITIVE_INFINITY);
  t.equal(presence.needsRelay('a', 900), false, 'not before the time has passed since the start');
  t.equal(presence.needsRelay('a', 1001), true);
  t.equal(presence.needsRelay('stranger', 9999), false);
  presence.direct('b', 1000);
  t.same(presence.listed('b', ['a', 'b', 'x'], 1100), ['a']);
  t.same(presence.relaysTo('a', 1500), ['b']);
  t.equal(presence.heardMs('a', 1500), 400);
  t.equal(presence.heardMs('a', 1500, 'directly'), Number.POSITIVE_INFINITY, 'it is the word of b alone');
  t.same(presence.relaysTo('a', 2050), [], 'the relay itself went silent');
  presence.direct('a', 2000);
  t.equal(presence.indirect('a', 2100), false, 'not counted while there is a living lane');
  t.same([presence.heardMs('a', 2100), presence.heardMs('a', 2100, 'directly')], [100, 100]);
  t.same(presence.heardDirectly(2100), ['a']);
  presence.watch(['a'], 2200);
  t.equal(presence.heardMs('b', 2200), Number.POSITIVE_INFINITY);
  t.equal(presence.heardMs('a', 2200), 200);
});
