import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { decodeTransaction } from '../../contracts/transaction.ts';
import { exportArchive } from '../../src/ledger/exportArchive.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { SnapshotFile } from '../../src/ledger/snapshotFile.ts';
import { loadSnapshot } from '../../src/ledger/snapshotLoad.ts';
import { writeSnapshot } from '../../src/ledger/snapshotWrite.ts';
import { checkpointOf } from './checkpoints.ts';
import { addBlock, MemoryDisk, makeGenesis, openInMemory, packetsTx } from './fixtures.ts';
import { pass } from './governed.ts';

const { genesis } = makeGenesis(4, { consensus: { maxTxLifetimeMs: 60_000 } });
const folder = mkdtempSync(join(tmpdir(), 'weft-prune-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

/** Blocks a second apart, a transaction in every second one; its ids by height. */
async function grow(ledger: Ledger, blocks: number): Promise<Map<number, string>> {
  const ids = new Map<number, string>();
  for (let i = 0; i < blocks; i += 1) {
    const { time, height } = ledger.finalized.header;
    const tx = packetsTx(genesis.chain, 'alice', { expires: time + 50_000, nonce: height, ids: 8 });
    await addBlock(ledger, height % 2 === 0 ? [tx] : []);
    if (height % 2 === 0) ids.set(height + 1, decodeTransaction(tx).txId);
  }
  return ids;
}

async function prune(ledger: Ledger, blocks: number, entries: number, snapshot: number): Promise<number> {
  let removed = 0;
  for (;;) {
    const slice = await ledger.prune({ blocks, entries }, snapshot);
    if (slice === 0) return removed;
    removed += slice;
  }
}

t.test('blocks and entries go, in slices; what remains answers as before, also after a restart', async (t) => {
  const dir = join(folder, 'pruned');
  const ledger = await Ledger.open({ dir, genesis });
  const ids = await grow(ledger, 450);
  const whole = await Ledger.open({ dir: join(folder, 'whole'), genesis });
  await grow(whole, 450);
  t.equal(await prune(ledger, 0, 0, 450), 0, 'nothing unless it is asked for');
  t.equal(await prune(ledger, 100, 0, 0), 0, 'nor without a snapshot');
  await prune(ledger, 100, 0, 300);
  t.equal(ledger.floor.height, 301, 'not above the snapshot');
  await prune(ledger, 10, 0, 450);
  t.equal(ledger.floor.height, 390, 'nor into the duplicate window');
  t.equal(ledger.block(389), undefined);
  t.equal(ledger.exportRun(389, 9), undefined);
  t.strictSame(ledger.exportRun(391, 1000), whole.exportRun(391, 1000));
  t.equal(ledger.transaction(ids.get(351) ?? ''), undefined);
  t.strictSame(ledger.transaction(ids.get(391) ?? ''), whole.transaction(ids.get(391) ?? ''));
  t.strictSame(
    await ledger.recordsOf({ account: 'alice' }, 0, 1000),
    await whole.recordsOf({ account: 'alice' }, ledger.floor.logSize, 1000),
  );
  const { logSize } = ledger.finalized.header;
  for (const index of [0, 1, 77, 500, ledger.floor.logSize - 1, ledger.floor.logSize, logSize - 1]) {
    t.strictSame(ledger.entry(index), whole.entry(index), `entry ${index}, its block found by its record`);
    t.strictSame(ledger.logProof(index, logSize), whole.logProof(index, logSize));
  }
  await prune(ledger, 10, 300, 450);
  t.equal(ledger.floor.entry % 256, 0);
  t.ok(ledger.floor.entry >= 512 && ledger.floor.entry <= ledger.floor.logSize);
  t.equal(ledger.entry(300), undefined);
  t.strictSame(ledger.entry(0), whole.entry(0), 'leaf 0 stays');
  t.equal(ledger.tile('tile/entries/000'), undefined, 'a bundle that is not whole is none');
  t.strictSame(ledger.tile('tile/0/000'), whole.tile('tile/0/000'), 'tiles stay');
  t.strictSame(ledger.logProof(300, logSize), whole.logProof(300, logSize), 'and so do proofs');
  const { floor } = ledger;
  await ledger.close();
  const again = await Ledger.open({ dir, genesis });
  t.strictSame(again.floor, floor);
  for (const one of [again, whole]) await grow(one, 150);
  t.strictSame(again.finalized.header, whole.finalized.header);
  await t.rejects(exportArchive(again, join(folder, 'no.weft')), { code: 'ARCHIVE_PRUNED' });
  await again.close();
  await whole.close();
});

t.test('a pruned node makes snapshots, and one that began from a snapshot prunes', async (t) => {
  const ledger = await openInMemory(genesis);
  await grow(ledger, 200);
  await prune(ledger, 50, 10, 200);
  const path = join(folder, 'pruned.snapshot');
  await writeSnapshot(await ledger.capture(), path, async () => checkpointOf(ledger));
  const file = await SnapshotFile.open(path);
  const disk = new MemoryDisk();
  await loadSnapshot(file, genesis, disk.database);
  await file.close();
  const copy = await openInMemory(genesis, disk);
  t.equal(await prune(copy, 50, 0, 200), 0, 'it holds the window and nothing else');
  for (const one of [copy, ledger]) await grow(one, 200);
  await prune(copy, 50, 10, 300);
  t.equal(copy.floor.height, 301);
  t.strictSame(copy.finalized.header, ledger.finalized.header);
});

t.test('closing blocks, their finalizations and the records of epochs stay', async (t) => {
  const ledger = await openInMemory(genesis);
  await grow(ledger, 50);
  const closing = await pass(ledger, { kind: 'parameters', parameters: { ...genesis.epoch.consensus, fetchMs: 1500 } });
  const { height } = closing.header;
  await grow(ledger, 400);
  await prune(ledger, 10, 100, 300);
  t.ok(ledger.floor.height > height + 1 && ledger.floor.entry > closing.header.logSize);
  t.equal(ledger.block(height)?.header.epoch, 1);
  t.ok(ledger.certificate(height));
  t.equal(ledger.block(height + 1), undefined);
  const [index] = await ledger.recordsOf({ type: 'epoch' }, 0, 10);
  t.match(Buffer.from(ledger.entry(index ?? 0)?.leaf ?? []).toString(), /"type":"epoch"/);
  t.equal(ledger.epochOf(2)?.epoch, 2);
});

t.test('the disk is given back', async (t) => {
  const dir = join(folder, 'disk');
  const ledger = await Ledger.open({ dir, genesis });
  await grow(ledger, 1200);
  await ledger.compactPruned();
  const before = bytesIn(join(dir, 'store'));
  await prune(ledger, 10, 256, 1200);
  await ledger.compactPruned();
  await ledger.close();
  const again = await Ledger.open({ dir, genesis });
  t.equal(again.finalized.header.height, 1200);
  await again.close();
  const after = bytesIn(join(dir, 'store'));
  t.comment(`${before} bytes before, ${after} after`);
  t.ok(after < before / 3, `${before} bytes before, ${after} after`);
});

function bytesIn(store: string): number {
  return readdirSync(store).reduce(
    (sum, name) => sum + (/\.(ldb|log)$/.test(name) ? statSync(join(store, name)).size : 0),
    0,
  );
}
