import t from 'tap';
import type { PreparedTx } from '../../src/ledger/types.ts';
import { buildBlock } from '../../src/node/builder.ts';
import { Mempool } from '../../src/node/mempool.ts';
import { genesisTime, makeGenesis, openInMemory, packetsTx } from '../ledger/fixtures.ts';

const { genesis } = makeGenesis(1);
const limits = { buildBudgetMs: 40 };

t.test('nothing to propose is no block; what has expired is let go of by an empty one', async (t) => {
  const ledger = await openInMemory(genesis);
  const mempool = new Mempool();
  const build = (time: number, mayBeEmpty = false) => {
    const context = { epoch: 1, view: 1, proposer: 0, time };
    return buildBlock(ledger, mempool, ledger.finalized.blockId, context, mayBeEmpty, limits, () => 0);
  };
  t.equal(build(genesisTime + 1000), undefined);
  t.equal(build(genesisTime + 1000, true)?.transactions.length, 0);

  const [prepared] = await ledger.prepare(
    [packetsTx(genesis.chain, 'alice', { expires: genesisTime + 5000 })],
    'admission',
  );
  mempool.add(prepared as PreparedTx, 0, true);
  t.equal(build(genesisTime + 4000)?.transactions.length, 1);
  // Nobody can put it into a block any more, and nobody drops it before a block says so (it counts as work until then).
  const late = build(genesisTime + 5000);
  t.equal(late?.transactions.length, 0);
  t.same(mempool.expire(late?.header.time ?? 0), [(prepared as PreparedTx).tx.txId]);
  t.equal(build(genesisTime + 6000), undefined);
});
