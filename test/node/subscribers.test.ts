import t from 'tap';
import type { CommittedBlock } from '../../src/ledger/types.ts';
import type { BlockSummary, NodeEvent } from '../../src/node/api.ts';
import { Subscribers } from '../../src/node/subscribers.ts';

/** Leaves from index 10 on: for each transaction its own leaf and `records` more, then the block record. */
function blockOf(transactions: readonly { account: string; records: number }[]): CommittedBlock {
  let index = 10;
  const placed: object[] = [];
  const records: object[] = [];
  const leaf = (type: string): void => {
    records.push({ index, leaf: new TextEncoder().encode(JSON.stringify({ at: index })), type });
    index += 1;
  };
  for (const { account, records: count } of transactions) {
    placed.push({ txId: account, account, index, records: count });
    leaf('tx');
    for (let i = 0; i < count; i += 1) leaf('record');
  }
  leaf('block');
  return { header: { height: 3 }, transactions: placed, records } as unknown as CommittedBlock;
}

t.test('each leaf is told to those who follow its account, the block record to nobody of them', async (t) => {
  const subscribers = new Subscribers();
  const heard: Record<string, number[]> = { a: [], b: [], c: [], all: [] };
  const listen = (name: string) => (event: NodeEvent) => {
    if (event.topic === 'records') heard[name]?.push(event.index);
  };
  for (const account of ['a', 'b', 'c']) subscribers.add({ topic: 'records', filter: { account } }, listen(account));
  subscribers.add({ topic: 'records', filter: {} }, listen('all'));
  const block = blockOf([
    { account: 'a', records: 0 },
    { account: 'b', records: 2 },
    { account: 'a', records: 1 },
    { account: 'c', records: 0 },
  ]);
  subscribers.committed(block, {} as BlockSummary);
  t.same(heard, { a: [10, 14, 15], b: [11, 12, 13], c: [16], all: [10, 11, 12, 13, 14, 15, 16, 17] });
});

t.test('a full block costs a walk, not a search per leaf', async (t) => {
  const subscribers = new Subscribers();
  let heard = 0;
  subscribers.add({ topic: 'records', filter: { account: 'last' } }, () => {
    heard += 1;
  });
  const many = new Array(30_000).fill({ account: 'a', records: 1 });
  const block = blockOf([...many, { account: 'last', records: 1 }]);
  const from = performance.now();
  subscribers.committed(block, {} as BlockSummary);
  t.equal(heard, 2);
  t.ok(performance.now() - from < 500, 'searching takes seconds');
});
