import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { WeftError } from '../../src/codec/error.ts';
import { bestThatHolds, firstThatHolds, type LedgerNode } from '../../src/executor/nodes.ts';

const node = (name: string): LedgerNode => ({ name }) as LedgerNode;
const nodes = ['a', 'b', 'c'].map(node);

t.test('one after the other, until one gives what holds', async (t) => {
  const asked: string[] = [];
  const found = await firstThatHolds(nodes, async ({ name }) => {
    asked.push(name);
    if (name === 'a') throw new WeftError('RPC_UNREACHABLE', 'away');
    return name;
  });
  t.same([found, asked], ['b', ['a', 'b']]);
});

t.test('one that never answers holds nobody up, and nothing is left waiting', async (t) => {
  const asked: string[] = [];
  const found = await firstThatHolds(['a', 'b', 'c'].map(node), async ({ name }) => {
    asked.push(name);
    if (name === 'a') return new Promise<string>(() => undefined);
    return name;
  });
  t.same([found, asked], ['b', ['a', 'b']]);
  await sleep(400);
  t.same(asked, ['a', 'b'], 'nobody is asked any more');
});

t.test('a proven refusal ends it; else the most telling one is thrown, once all have answered', async (t) => {
  const refused = (codes: Readonly<Record<string, string>>, asked: string[]) => async (each: LedgerNode) => {
    asked.push(each.name);
    if (each.name === 'b') await sleep(20);
    throw new WeftError(codes[each.name] ?? '', each.name);
  };
  const first: string[] = [];
  const codes = { a: 'RPC_UNREACHABLE', b: 'STATUS_STALE', c: 'RPC_TIMEOUT' };
  await t.rejects(firstThatHolds(nodes, refused(codes, first)), { code: 'STATUS_STALE' });
  t.same(first, ['a', 'b', 'c']);
  const second: string[] = [];
  const proven = { ...codes, a: 'STATUS_PAUSED' };
  const isPaused = (error: unknown): boolean => (error as WeftError).code === 'STATUS_PAUSED';
  await t.rejects(firstThatHolds(nodes, refused(proven, second), isPaused), { code: 'STATUS_PAUSED' });
  t.same(second, ['a']);
  await t.rejects(
    firstThatHolds([], async () => 1),
    { code: 'RPC_UNREACHABLE' },
  );
});

t.test('who was silent is asked last for a while', async (t) => {
  const mine = ['dead', 'well'].map(node);
  const asked: string[] = [];
  const ask = async ({ name }: LedgerNode): Promise<string> => {
    asked.push(name);
    return name === 'dead' ? new Promise<string>(() => undefined) : name;
  };
  t.equal(await firstThatHolds(mine, ask), 'well');
  for (let n = 0; n < 5; n++) t.equal(await firstThatHolds(mine, ask), 'well');
  t.same(asked, ['dead', 'well', 'well', 'well', 'well', 'well', 'well']);
});

t.test(
  'all are asked: a proven refusal outweighs what is quick and old, and a silent one is not waited for',
  async (t) => {
    const isPaused = (error: unknown): boolean => (error as WeftError).code === 'STATUS_PAUSED';
    const older = (a: number, b: number): number => a - b;
    const best = (answers: Readonly<Record<string, () => Promise<number>>>) =>
      bestThatHolds(nodes, ({ name }) => answers[name]?.() ?? Promise.reject(new Error(name)), isPaused, older);
    const refused = (code: string) => Promise.reject(new WeftError(code, code));
    const late = async <T>(answer: () => Promise<T>): Promise<T> => {
      await sleep(30);
      return answer();
    };
    const paused = { a: async () => 1, b: () => late(() => refused('STATUS_PAUSED')), c: async () => 2 };
    await t.rejects(best(paused), { code: 'STATUS_PAUSED' });
    t.equal(await best({ a: async () => 1, b: () => late(async () => 3), c: async () => 2 }), 3, 'the newest');
    t.equal(
      await best({ a: async () => 1, b: () => new Promise(() => undefined), c: () => refused('RPC_TIMEOUT') }),
      1,
    );
    const none = {
      a: () => refused('RPC_TIMEOUT'),
      b: () => late(() => refused('STATUS_STALE')),
      c: () => refused('RPC_X'),
    };
    await t.rejects(best(none), { code: 'STATUS_STALE' });
  },
);
