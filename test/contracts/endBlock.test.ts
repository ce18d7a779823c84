import t from 'tap';
import type { Contract } from '../../contracts/contract.ts';
import { endBlock } from '../../contracts/endBlock.ts';
import { contracts } from '../../contracts/list.ts';
import type { Applied, Json } from '../../contracts/types.ts';
import { Network } from './network.ts';

const { block } = new Network();

function contract(name: string, changes: Record<string, Json | null>): Contract {
  return {
    name,
    rules: [],
    endBlock(state): Applied {
      const record = { type: name, saw: state.get('a/b/c') ?? 'nothing' };
      return { records: [record], changes: new Map(Object.entries(changes)) };
    },
  };
}

t.test('each has its turn on what those before it have left', async (t) => {
  const all = [
    contract('first', { 'a/b/c': 1, 'a/b/d': 1 }),
    { name: 'idle', rules: [] },
    contract('second', { 'a/b/c': null }),
    contract('third', { 'a/b/d': 2 }),
  ];
  const { records, changes } = endBlock(all, { get: (path) => (path === 'a/b/c' ? 0 : undefined) }, block);
  t.strictSame(records, [
    { type: 'first', saw: 0 },
    { type: 'second', saw: 1 },
    { type: 'third', saw: 'nothing' },
  ]);
  t.strictSame(
    [...changes],
    [
      ['a/b/c', null],
      ['a/b/d', 2],
    ],
  );
});

t.test('what governance changes holds from the next block on', async (t) => {
  t.equal(contracts.findLast((each) => each.endBlock !== undefined)?.name, 'governance');
});
