import t from 'tap';
import type { PreparedTx } from '../../src/ledger/types.ts';
import { buildBlock } from '../../src/node/builder.ts';
import { Mempool } from '../../src/node/mempool.ts';
import {
  buildBlock as fillBlock,
  finalizationOf,
  genesisTime,
  makeGenesis,
  openInMemory,
  packetsTx,
} from '../ledger/fixtures.ts';

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

t.test('a leader adds nothing to what waits for a finalization when it is too much already', async (t) => {
  const { genesis: wide } = makeGenesis(1, { consensus: { maxBlockBytes: 2 * 1024 * 1024 } });
  const ledger = await openInMemory(wide);
  const mempool = new Mempool();
  const time = genesisTime + 1000;
  const largest = (): readonly Uint8Array[] => {
    const envelopes: Uint8Array[] = [];
    for (let bytes = 0; ; ) {
      const envelope = packetsTx(wide.chain, 'alice', { ids: 256 });
      bytes += envelope.length + 8;
      if (bytes > 2 * 1024 * 1024) return envelopes;
      envelopes.push(envelope);
    }
  };
  let parent = ledger.finalized.blockId;
  let view = 0;
  const build = (mayBeEmpty: boolean) => {
    const context = { epoch: 1, view: view + 1, proposer: 0, time: time + view };
    return buildBlock(ledger, mempool, parent, context, mayBeEmpty, { buildBudgetMs: 40 }, () => 0);
  };
  const [small] = await ledger.prepare([packetsTx(wide.chain, 'alice')], 'admission');
  mempool.add(small as PreparedTx, 0, true);
  for (let i = 0; i < 9; i += 1) {
    t.equal(build(false)?.transactions.length, 1, `${ledger.unfinalizedBytes(parent)} bytes wait`);
    view += 1;
    const block = await fillBlock(ledger, largest(), { parent, view, time: time + view });
    parent = block.blockId;
  }
  t.ok(ledger.unfinalizedBytes(parent) > 16 * 1024 * 1024);
  t.equal(build(false), undefined, 'nothing, while nothing is owed');
  const empty = build(true);
  t.equal(empty?.transactions.length, 0, 'W6: an empty one brings the finalization');
  await ledger.commit(parent, finalizationOf(wide, ledger.epoch, ledger.executed(parent)!));
  t.equal(ledger.unfinalizedBytes(parent), 0);
  t.equal(build(false)?.transactions.length, 1);
});
