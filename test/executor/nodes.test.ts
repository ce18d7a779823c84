import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { WeftError } from '../../src/codec/error.ts';
import { firstThatHolds, type LedgerNode } from '../../src/executor/nodes.ts';

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
  const found = await firstThatHolds(nodes, async ({ name }) => {
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
