// What a node takes in when it is given more than it can bring through.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { WeftError } from '../../src/codec/error.ts';
import type { Admitted } from '../../src/node/admission.ts';
import { LoopDelay } from '../../src/node/loopDelay.ts';
import { Overload, overloadLimits } from '../../src/node/overload.ts';
import { Submissions } from '../../src/node/submissions.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

type Given = {
  delayMs: number;
  pending: number;
  now: number;
  accounts?: number;
  ofAccount?: number;
  arriving?: number;
};

function overloadOf(given: Given): Overload {
  return new Overload({
    loop: {
      get ms() {
        return given.delayMs;
      },
      get lastMs() {
        return given.delayMs;
      },
    },
    pool: {
      get size() {
        return given.pending;
      },
      get accounts() {
        return given.accounts ?? 1;
      },
      pendingOf: () => given.ofAccount ?? given.pending,
    },
    arriving: () => given.arriving ?? 0,
    monotonicMs: () => given.now,
  });
}

/** Of a hundred submissions, how many are taken. */
function taken(overload: Overload, of = 100): number {
  let count = 0;
  for (let i = 0; i < of; i += 1) {
    try {
      overload.check(() => 'account');
      count += 1;
    } catch (error) {
      if (!(error instanceof WeftError) || error.code !== 'RPC_BUSY') throw error;
    }
  }
  return count;
}

t.test('a late event loop lowers how many may wait', async (t) => {
  const given: Given = { delayMs: 0, pending: 0, now: 0 };
  const overload = overloadOf(given);
  const { delayFromMs, delayToMs, latePart, pendingMin } = overloadLimits;
  given.pending = 0.75 * pendingMin;
  t.equal(taken(overload), 50, 'half, spread evenly');
  given.delayMs = delayFromMs;
  t.equal(taken(overload), 50, 'in time');
  given.delayMs = delayToMs;
  t.equal(taken(overload), 0);
  given.delayMs = 10 * delayToMs;
  t.equal(taken(overload), 0);
  given.pending = 0.75 * latePart * pendingMin;
  t.equal(taken(overload), 50);
  given.delayMs = (delayFromMs + delayToMs) / 2;
  t.equal(taken(overload), 100);
  t.equal(overload.refused, 350);
  given.pending = pendingMin;
  t.throws(() => overload.check(() => undefined), { code: 'RPC_BUSY', details: { retryAfterMs: 2000 } });
});

t.test('a machine that others use is no overload: what is taken in becomes final', async (t) => {
  const given: Given = { delayMs: 10 * overloadLimits.delayToMs, pending: 0, now: 0 };
  const overload = overloadOf(given);
  // 500 a second, final after 0.4 to 1.4 seconds.
  for (; given.now < 20_000; given.now += 500) {
    overload.finalized(250);
    given.pending = given.now % 2000 === 0 ? 450 : 200;
    t.equal(taken(overload, 250), 250);
  }
  given.pending = 5000;
  t.equal(taken(overload), 0, 'a backlog is');
  given.pending = 450;
  t.equal(taken(overload), 100, 'and it is over when it is gone');
});

t.test('what is on its way into the pool waits, too', async (t) => {
  const given: Given = { delayMs: 0, pending: 0, now: 0, arriving: overloadLimits.pendingMin };
  t.equal(taken(overloadOf(given)), 0);
});

t.test('what waits is held against what became final lately', async (t) => {
  const given: Given = { delayMs: 0, pending: 0, now: 0 };
  const overload = overloadOf(given);
  given.pending = overloadLimits.pendingMin / 2;
  t.equal(taken(overload), 100, 'a burst is none');
  given.pending = overloadLimits.pendingMin;
  t.equal(taken(overload), 0, 'a network that finalizes nothing takes no more than that');
  // 4,000 a second for ten seconds.
  for (; given.now < 10_000; given.now += 50) overload.finalized(200);
  t.equal(taken(overload), 100, 'the same number is little for one that is fast');
  given.pending = 1.5 * 4000;
  t.ok(taken(overload) > 30 && taken(overload) < 70);
  given.now += 20_000;
  t.equal(taken(overload), 0, 'long ago counts no more');
});

t.test('who fills the pool is refused first', async (t) => {
  const given: Given = { delayMs: 0, pending: overloadLimits.pendingMin, now: 0, accounts: 4, ofAccount: 10 };
  const overload = overloadOf(given);
  t.equal(taken(overload), 100, 'an account with less than its part');
  given.ofAccount = 3 * 512;
  t.equal(taken(overload), 0, 'the one that has most of it');
  given.ofAccount = 512;
  t.equal(taken(overload), 0, 'equal ones are equal');
  given.ofAccount = 10;
  given.pending *= 1.5;
  t.equal(taken(overload), 50, 'many small ones are an overload, too');
  given.pending *= 2;
  t.equal(taken(overload), 0);
});

t.test('the delay of the loop: measured while asked, long turns weigh as much as they are long', async (t) => {
  let now = 0;
  let run: (() => void) | undefined;
  const delay = new LoopDelay({
    now: () => now,
    every: (tick) => {
      run = tick;
      return () => {
        run = undefined;
      };
    },
  });
  t.equal(delay.lastMs, 0);
  t.equal(run, undefined, 'nobody asked');
  t.equal(delay.ms, 0);
  const turn = (ms: number): void => {
    now += ms;
    run?.();
  };
  for (let i = 0; i < 50; i += 1) turn(20);
  t.equal(delay.ms, 0, 'in time');
  turn(120);
  t.ok(delay.ms > 10 && delay.ms < 40, 'one long turn is no overload');
  for (let i = 0; i < 20; i += 1) {
    turn(120);
    t.ok(delay.ms <= 100);
  }
  t.ok(delay.ms > 95, 'many are');
  for (let i = 0; i < 100; i += 1) turn(20);
  t.ok(delay.ms < 1);
  for (let i = 0; i < 150; i += 1) turn(20);
  t.equal(run, undefined, 'nobody asks any more');
  t.equal(delay.lastMs, 0);
  t.equal(delay.ms, 0);
  t.not(run, undefined, 'begun anew');
  delay.close();
});

const itself = (admitted: Admitted): Admitted => admitted;

t.test('own submissions go to admission in order, gathered, in small turns', async (t) => {
  const batches: number[][] = [];
  const turns: string[] = [];
  const submissions = new Submissions({
    admission: {
      submitAll: async (envelopes) => {
        batches.push(envelopes.map(([n]) => n ?? -1));
        turns.push('admission');
        return envelopes.map(([n]) =>
          n === 3 ? new WeftError('TX_FORM', 'no') : ({ status: 'finalized', txId: String(n) } as Admitted),
        );
      },
    },
  });
  const answers = Array.from({ length: 70 }, (_, n) => submissions.submit(Uint8Array.of(n), itself));
  t.same(batches, [], 'after this turn');
  const others = (async () => {
    for (let i = 0; i < 3; i += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      turns.push('others');
    }
  })();
  const settled = await Promise.allSettled(answers);
  await others;
  t.same(batches.flat(), [...Array(70).keys()]);
  t.ok(Math.max(...batches.map(({ length }) => length)) <= 32);
  t.same(turns.slice(0, 4), ['admission', 'others', 'admission', 'others'], 'others have their turns in between');
  t.match(settled[3], { status: 'rejected', reason: { code: 'TX_FORM' } }, 'a refusal is of one');
  t.match(settled[69], { status: 'fulfilled', value: { txId: '69' } });
  t.equal(submissions.waiting, 0);
});

t.test('a queue that is never empty keeps nothing that has had its turn', async (t) => {
  const submissions = new Submissions({
    admission: {
      submitAll: async (envelopes) => envelopes.map(() => ({ status: 'finalized', txId: 'x' }) as Admitted),
    },
  });
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const submit = (count: number): WeakRef<Uint8Array>[] =>
    Array.from({ length: count }, () => {
      const envelope = new Uint8Array(100);
      void submissions.submit(envelope, itself);
      return new WeakRef(envelope);
    });
  const first = submit(64);
  for (let i = 0; i < 150; i += 1) {
    submit(32);
    await turn();
    t.ok(submissions.waiting > 0);
  }
  collectGarbage();
  t.equal(first.filter((each) => each.deref() !== undefined).length, 0);
});

t.test('more than may wait are refused, and a failure reaches everybody', async (t) => {
  const submissions = new Submissions({
    admission: { submitAll: () => Promise.reject(new WeftError('NODE_STOPPED', 'x')) },
  });
  const all = await Promise.allSettled(
    Array.from({ length: 4100 }, () => submissions.submit(Uint8Array.of(1), itself)),
  );
  const codes = new Map<string, number>();
  for (const each of all) {
    const code = each.status === 'rejected' ? String(each.reason.code) : 'ok';
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  t.same(
    [...codes],
    [
      ['NODE_STOPPED', 4096],
      ['RPC_BUSY', 4],
    ],
  );
});
