// A data folder of an earlier layout goes on where it stood, and nobody who reads sees where the layout changes.
import t from 'tap';
import { proposeIntent } from '../../src/client/index.ts';
import { indexesOf } from '../../src/ledger/indexLists.ts';
import type { WriteOp } from '../../src/ledger/keyValue.ts';
import { decodeRun } from '../../src/ledger/leafRuns.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { indexOfKey, leafKey, metaKey, numberBytes, readNumber } from '../../src/ledger/storeKeys.ts';
import { addBlock, MemoryDisk, makeGenesis, makeTx, openInMemory, packetsTx, registerTx } from './fixtures.ts';

const { genesis } = makeGenesis(1);
const all = [Uint8Array.of(0), Uint8Array.of(255)] as const;

async function fill(ledger: Ledger, blocks: number): Promise<void> {
  for (let n = 0; n < blocks; n += 1) {
    const packets = (account: string, count: number) =>
      Array.from({ length: count }, () => packetsTx(genesis.chain, account));
    await addBlock(ledger, [
      ...packets('alice', 40),
      registerTx(genesis.chain, `new-${ledger.finalized.header.height}`),
      ...packets('bob', 3),
      ...packets('alice', 2),
    ]);
  }
}

/** The same content as version 1 kept it: a key for each log entry and each index. */
async function toVersionOne(disk: MemoryDisk): Promise<void> {
  const ops: WriteOp[] = [{ type: 'put', key: metaKey('version'), value: numberBytes(1) }];
  for await (const [key, value] of disk.database.range(...all)) {
    const kind = String.fromCharCode(key[0]!);
    if (kind === 'r') {
      for (const [i, entry] of decodeRun(value).entries())
        ops.push({ type: 'put', key: leafKey(indexOfKey(key) + i), value: entry });
    }
    if (kind === 'r' || kind === 'g' || kind === 'f') ops.push({ type: 'del', key });
    if (kind !== 'y' && kind !== 'a') continue;
    for (const index of indexesOf(key, value)) {
      const single = key.slice();
      single.set(numberBytes(index), key.length - 8);
      ops.push({ type: 'put', key: single, value: new Uint8Array(0) });
    }
  }
  await disk.database.write(ops);
}

/** Everything that is served by index, name, height or id. */
async function served(ledger: Ledger): Promise<unknown> {
  const { height, logSize } = ledger.finalized.header;
  const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('hex');
  const windows: number[][] = [];
  for (const filter of [{ type: 'packets.committed' }, { type: 'identity.registered' }, { account: 'alice' }]) {
    for (let from = 0; from < logSize; from += 37) windows.push(await ledger.recordsOf(filter, from, 50));
    if ('type' in filter) {
      const type = filter.type ?? '';
      for (let before = logSize; before > 0; before -= 41) windows.push(await ledger.newestRecords(type, 30, before));
    }
  }
  return {
    windows,
    entries: Array.from({ length: logSize }, (_, index) => hex(ledger.entry(index)?.leaf)),
    bodies: Array.from({ length: height }, (_, i) => hex(ledger.body(i + 1))),
    bundles: [0, 1].map((n) => hex(ledger.tile(`tile/entries/00${n}${n === 1 ? '.p/10' : ''}`)?.bytes)),
    checked: Array.from({ length: height }, (_, i) => ledger.checkStored(i + 1)),
  };
}

t.test('a store of version 1 is read as it is, and goes on as version 2', async (t) => {
  const disk = new MemoryDisk();
  const before = await openInMemory(genesis, disk);
  await fill(before, 5);
  const wanted = await served(before);
  await before.close();
  await toVersionOne(disk);
  const old = await openInMemory(genesis, disk);
  t.same(await served(old), wanted);
  t.equal(readNumber(disk.database.get(metaKey('version'))!), 1, 'reading changes nothing');
  await fill(old, 3);
  t.equal(readNumber(disk.database.get(metaKey('version'))!), 2);
  const both = await served(old);
  await old.close();
  const again = await openInMemory(genesis, disk);
  t.same(await served(again), both);
  await again.close();
  // All of it in the new layout.
  const fresh = new MemoryDisk();
  const other = await openInMemory(genesis, fresh);
  const imported = again.exportRun(1, 64 * 1024 * 1024);
  t.ok(imported);
  await other.importRun(imported!);
  t.same(await served(other), both);
  await other.close();
});

t.test('what was decided for an executor under version 1 is found by its account under version 2', async (t) => {
  const disk = new MemoryDisk();
  const before = await openInMemory(genesis, disk);
  const effect = { host: 'web-3', service: 'thumbnailer' };
  const asked = { action: 'service.restart', effect, ttlMs: 60_000, audience: 'bob' };
  for (let n = 0; n < 3; n += 1) {
    const { type, body } = proposeIntent(asked);
    await addBlock(before, [makeTx(genesis.chain, 'alice', type, body), packetsTx(genesis.chain, 'alice')]);
  }
  const wanted = await before.newestDecisionsFor('bob', 10);
  t.equal(wanted.length, 3);
  await before.close();
  await toVersionOne(disk);
  const old = await openInMemory(genesis, disk);
  t.same(await old.newestDecisionsFor('bob', 10), wanted);
  t.same(await old.newestDecisionsFor('alice', 10), []);
  await fill(old, 1);
  await old.close();
  const again = await openInMemory(genesis, disk);
  t.same(await again.newestDecisionsFor('bob', 10), wanted);
  t.same(await again.newestDecisionsFor('bob', 10, wanted[0]), wanted.slice(1));
  await again.close();
});

t.test('a store of a version that this build does not know is refused', async (t) => {
  const disk = new MemoryDisk();
  await (await openInMemory(genesis, disk)).close();
  for (const version of [0, 3]) {
    await disk.database.write([{ type: 'put', key: metaKey('version'), value: numberBytes(version) }]);
    await t.rejects(openInMemory(genesis, disk), { code: 'DATA_VERSION' });
  }
});
