import t from 'tap';
import { WeftError } from '../../src/codec/error.ts';
import { encodeBody } from '../../src/ledger/body.ts';
import { Answers, type AnswersModules } from '../../src/node/answers.ts';
import { Turns } from '../../src/node/turns.ts';
import {
  decodeBlock,
  decodeEnvelopes,
  decodeSubmitAnswer,
  encodeEnvelopesRequest,
  encodeNumbers,
  requestKinds,
} from '../../src/node/wire.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const id = 'ab'.repeat(32);
const envelopes = [1, 2, 3].map((n) => new Uint8Array(50).fill(n));
const body = encodeBody(envelopes);

function setUp() {
  const state = { reads: 0, own: [] as boolean[], overloaded: false };
  const modules = {
    ledger: {
      blockBytes: () => {
        state.reads += 1;
        return { header: new Uint8Array(9), body };
      },
      floor: { height: 1, logSize: 1, entry: 0, tiles: 0 },
      bodies: () => undefined,
      exportRunPart: () => {
        state.reads += 1;
        return { headers: [], bodies: [], certificate: new Uint8Array(1) };
      },
    },
    blocks: { get: () => undefined, bodyNow: () => undefined },
    admission: {
      receive: async () => undefined,
      submit: async (_envelope: Uint8Array, own: boolean) => {
        state.own.push(own);
        return { status: 'new' };
      },
    },
    checkpoint: () => undefined,
    isValidator: (peer: string) => peer === 'v2',
    checkLoad: () => {
      if (state.overloaded) throw new WeftError('RPC_BUSY', 'too much', { retryAfterMs: 250 });
    },
    log: silent,
  } as unknown as AnswersModules;
  return { answers: new Answers(modules), state };
}

t.test('parts of a block, each once', async (t) => {
  const { answers } = setUp();
  const ask = (positions: number[]) =>
    answers.answer('p', requestKinds.envelopes, encodeEnvelopesRequest(id, positions));
  t.same(decodeEnvelopes((await ask([0, 2]))!, { bytesMax: 1000, countMax: 2 }), [envelopes[0], envelopes[2]]);
  t.equal(await ask([1, 1]), undefined);
  t.equal(await ask([1, 3]), undefined, 'beyond the block');
  const whole = await answers.answer('p', requestKinds.block, Buffer.from(id, 'hex'));
  t.same(decodeBlock(whole!, 1000).body, body);
});

t.test('what an observer passes on is brought to the others here, what a validator has is not', async (t) => {
  const { answers, state } = setUp();
  const answer = await answers.answer('observer', requestKinds.submit, new Uint8Array(3));
  t.same(decodeSubmitAnswer(answer!), { verdict: 'ok', status: 'new' });
  await answers.answer('v2', requestKinds.submit, new Uint8Array(3));
  t.same(state.own, [true, false]);
  state.overloaded = true;
  const busy = decodeSubmitAnswer((await answers.answer('observer', requestKinds.submit, new Uint8Array(3)))!);
  t.match(busy, { verdict: 'refused', code: 'RPC_BUSY' }, 'clients of an observer are clients, too');
  await answers.answer('v2', requestKinds.submit, new Uint8Array(3));
  t.same(state.own, [true, false, false], 'what a validator has taken is taken');
});

t.test(
  'a peer that asks for much at once: one read per turn, the rest waits, what is too much is not done',
  async (t) => {
    const { answers, state } = setUp();
    const asked = Array.from({ length: 40 }, () =>
      answers.answer('greedy', requestKinds.run, encodeNumbers(1, 1 << 20)),
    );
    t.equal(state.reads, 1);
    const other = answers.answer('other', requestKinds.run, encodeNumbers(1, 1 << 20));
    await turn();
    await turn();
    await turn();
    t.ok(state.reads <= 4, `${state.reads} reads in three turns`);
    t.ok((await other) !== undefined);
    const answered = (await Promise.all(asked)).filter((bytes) => bytes !== undefined);
    t.equal(answered.length, 9);
  },
);

t.test('turns: peers alternate, a failure frees its place, closing answers those who wait', async (t) => {
  const turns = new Turns({ atOnce: 2, perPeer: 1, waitingMax: 4 });
  const order: string[] = [];
  const ends: (() => void)[] = [];
  const work = (name: string) => () => {
    order.push(name);
    return new Promise<string>((resolve) => ends.push(() => resolve(name)));
  };
  const all = ['a1', 'a2', 'a3', 'b1', 'c1'].map((name) => turns.take(name[0] ?? '', work(name)));
  t.same(order, ['a1', 'b1']);
  ends.shift()?.();
  await turn();
  await turn();
  t.same(order, ['a1', 'b1', 'a2']);
  ends.shift()?.();
  await turn();
  await turn();
  t.same(order, ['a1', 'b1', 'a2', 'c1'], 'a has its share');
  turns.close();
  for (const end of ends) end();
  t.same(await Promise.all(all), ['a1', 'a2', undefined, 'b1', 'c1']);
  t.equal(await turns.take('d', work('d')), undefined);
  const failing = new Turns({ atOnce: 1, perPeer: 1, waitingMax: 1 });
  await t.rejects(failing.take('a', () => Promise.reject(new Error('no'))));
  t.equal(await failing.take('a', () => Promise.resolve(7)), 7);
});
