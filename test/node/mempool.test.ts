import t from 'tap';
import type { PreparedTx } from '../../src/ledger/types.ts';
import { Mempool } from '../../src/node/mempool.ts';

function prepared(id: string, account: string, expires = 1000, bytes = 100): PreparedTx {
  return {
    tx: {
      txId: `tx-${id}`,
      envelopeId: `env-${id}`,
      envelope: new Uint8Array(bytes),
      signed: new Uint8Array(),
      chain: 'weft-test-000000000000',
      account,
      type: 'packets.commit',
      expires,
      nonce: '',
      body: {},
      signatures: [],
    },
    keys: [],
    ruleset: 1,
  };
}

const options = { transactionsMax: 5, bytesMax: 1000, transactionsPerAccountMax: 3 };
const order = (pool: Mempool): string[] => [...pool.inTurn()].map(({ prepared: { tx } }) => tx.envelopeId.slice(4));

t.test('accounts take turns: a flood from one delays only that one', async (t) => {
  const pool = new Mempool({ ...options, transactionsMax: 100, transactionsPerAccountMax: 100 });
  for (let i = 0; i < 5; i += 1) pool.add(prepared(`a${i}`, 'a'), i, true);
  pool.add(prepared('b0', 'b'), 6, true);
  pool.add(prepared('c0', 'c'), 7, true);
  t.same(order(pool), ['a0', 'b0', 'c0', 'a1', 'a2', 'a3', 'a4']);
  pool.rotateTurns();
  t.same(order(pool).slice(0, 3), ['b0', 'c0', 'a0'], 'who came first goes last next time');
});

t.test('count, bytes and accounts are bounded, with a code and a hint', async (t) => {
  const pool = new Mempool(options);
  for (let i = 0; i < 3; i += 1) pool.add(prepared(`a${i}`, 'a'), i, true);
  t.throws(() => pool.add(prepared('a3', 'a'), 3, true), {
    code: 'MEMPOOL_ACCOUNT_FULL',
    details: { retryAfterMs: 500 },
  });
  pool.add(prepared('b0', 'b'), 4, true);
  pool.add(prepared('b1', 'b'), 5, true);
  t.throws(() => pool.add(prepared('c0', 'c'), 6, true), { code: 'MEMPOOL_FULL' });
  pool.remove('env-a0');
  t.throws(() => pool.add(prepared('c0', 'c', 1000, 700), 6, true), { code: 'MEMPOOL_FULL' }, 'bytes');
  t.equal(pool.add(prepared('c0', 'c'), 6, true), true);
  t.equal(pool.size, 5);
  t.equal(pool.bytes, 500);
});

t.test('another envelope of the same transaction is not added, and goes when the transaction is final', async (t) => {
  const pool = new Mempool(options);
  const first = prepared('x', 'a');
  const second: PreparedTx = { ...first, tx: { ...first.tx, envelopeId: 'env-y' } };
  t.equal(pool.add(first, 0, true), true);
  t.equal(pool.add(second, 0, true), false);
  pool.removeTx('tx-x');
  t.equal(pool.size, 0);
  t.equal(pool.bytes, 0);
  pool.removeTx('tx-x');
});

t.test('what has expired at a block time leaves', async (t) => {
  const pool = new Mempool(options);
  pool.add(prepared('early', 'a', 10), 0, true);
  pool.add(prepared('late', 'a', 20), 0, true);
  t.same(pool.expire(9), []);
  t.same(pool.expire(10), ['tx-early'], 'valid only while time < expires');
  t.same(pool.expire(19), []);
  pool.add(prepared('soon', 'b', 15), 1, true);
  t.same(pool.expire(19), ['tx-soon'], 'also one that came later and goes earlier');
  t.same(order(pool), ['late']);
});
