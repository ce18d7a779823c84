import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { decodeUtf8, encodeUtf8 } from '../../src/codec/utf8.ts';
import { openLevel } from '../../src/ledger/keyValue.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { beginIncoming, markIncoming } from '../../src/ledger/replaceStore.ts';
import { SnapshotFile } from '../../src/ledger/snapshotFile.ts';
import { loadSnapshot } from '../../src/ledger/snapshotLoad.ts';
import { writeSnapshot } from '../../src/ledger/snapshotWrite.ts';
import { metaKey, readNumber } from '../../src/ledger/storeKeys.ts';
import { checkpointOf } from './checkpoints.ts';
import { addBlock, makeGenesis, openInMemory, packetsTx } from './fixtures.ts';

const { genesis } = makeGenesis(4, { consensus: { maxTxLifetimeMs: 60_000 } });
const folder = mkdtempSync(join(tmpdir(), 'weft-replace-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

/** A data folder at height 3 with notes, and a snapshot file of height 100 of the same chain. */
async function setUp(name: string): Promise<{ data: string; snapshot: string }> {
  const data = join(folder, name);
  const ledger = await Ledger.open({ dir: data, genesis });
  const source = await openInMemory(genesis);
  for (let i = 0; i < 100; i += 1) {
    const txs = i === 50 ? [packetsTx(genesis.chain, 'alice', { nonce: 9 })] : [];
    await addBlock(source, txs);
    if (i < 3) await addBlock(ledger, txs);
  }
  await ledger.rememberCheckpoint(77, 'ab'.repeat(32));
  await ledger.putNote('vote-key-x', encodeUtf8('SIGNS'));
  await ledger.close();
  const snapshot = join(folder, `${name}.snapshot`);
  await writeSnapshot(await source.capture(), snapshot, async () => checkpointOf(source));
  return { data, snapshot };
}

async function buildIncoming(data: string, snapshot: string): Promise<void> {
  const file = await SnapshotFile.open(snapshot);
  const database = await openLevel(await beginIncoming(data));
  await loadSnapshot(file, genesis, database);
  await database.close();
  await file.close();
}

t.test('a store is replaced by a snapshot, and what the node must not forget goes over', async (t) => {
  const { data, snapshot } = await setUp('whole');
  await buildIncoming(data, snapshot);
  const before = await Ledger.open({ dir: data, genesis });
  t.equal(before.finalized.header.height, 3, 'without its mark nothing is taken');
  t.notOk(existsSync(join(data, 'store-incoming')), 'and what is of no use does not stay');
  await buildIncoming(data, snapshot);
  await before.close();
  await markIncoming(data);
  const after = await Ledger.open({ dir: data, genesis });
  t.equal(after.finalized.header.height, 100);
  t.equal(decodeUtf8(after.note('vote-key-x')!), 'SIGNS');
  t.notOk(await after.rememberCheckpoint(77, 'cd'.repeat(32)), 'what was cosigned stays cosigned');
  await addBlock(after, []);
  await after.close();
  t.strictSame(
    readdirSync(data).filter((name) => name.startsWith('store')),
    ['store'],
  );
});

t.test('a crash between any two steps: the next start finishes, or begins again', async (t) => {
  for (const [name, state] of [
    ['store gone', { store: false, incoming: true }],
    ['all renamed, mark left', { store: true, incoming: false }],
  ] as const) {
    const { data, snapshot } = await setUp(name);
    await buildIncoming(data, snapshot);
    await markIncoming(data);
    if (!state.store) rmSync(join(data, 'store'), { recursive: true });
    if (!state.incoming) {
      rmSync(join(data, 'store'), { recursive: true });
      renameSync(join(data, 'store-incoming'), join(data, 'store'));
    }
    const after = await Ledger.open({ dir: data, genesis });
    t.equal(after.finalized.header.height, 100, name);
    t.notOk(existsSync(join(data, 'store-incoming.ready')), name);
    await after.close();
  }
});

t.test('a store that does not open gives way, one that another process works on does not', async (t) => {
  const { data, snapshot } = await setUp('broken');
  await buildIncoming(data, snapshot);
  await markIncoming(data);
  const held = await openLevel(join(data, 'store'));
  await t.rejects(Ledger.open({ dir: data, genesis }), { code: 'DATA_LOCKED' });
  await held.close();
  writeFileSync(join(data, 'store', 'CURRENT'), 'nonsense');
  const after = await Ledger.open({ dir: data, genesis });
  t.equal(after.finalized.header.height, 100);
  await after.close();
});

t.test('a node that keeps everything keeps the store that held more', async (t) => {
  const { data, snapshot } = await setUp('history');
  await buildIncoming(data, snapshot);
  await markIncoming(data, true);
  const after = await Ledger.open({ dir: data, genesis });
  t.equal(after.finalized.header.height, 100);
  t.ok(after.floor.height > 1);
  await after.close();
  const stores = readdirSync(data).filter((name) => name.startsWith('store'));
  t.strictSame(stores.sort(), ['store', 'store-before-3']);
  const old = await openLevel(join(data, 'store-before-3'));
  t.equal(readNumber(old.get(metaKey('tip'))!), 3, 'whole');
  await old.close();
  await (await Ledger.open({ dir: data, genesis })).close();
  t.ok(existsSync(join(data, 'store-before-3')), 'and no later start removes it');
});

t.test('a store that has come further meanwhile is not rolled back by one that was built before', async (t) => {
  const { data, snapshot } = await setUp('stale');
  await buildIncoming(data, snapshot);
  await markIncoming(data);
  const parked = join(folder, 'parked');
  for (const name of ['store-incoming', 'store-incoming.ready']) renameSync(join(data, name), `${parked}-${name}`);
  const ledger = await Ledger.open({ dir: data, genesis });
  while (ledger.finalized.header.height < 100) await addBlock(ledger, []);
  await ledger.close();
  for (const name of ['store-incoming', 'store-incoming.ready']) renameSync(`${parked}-${name}`, join(data, name));
  const after = await Ledger.open({ dir: data, genesis });
  t.equal(after.finalized.header.height, 100);
  t.equal(after.floor.height, 1, 'its own store');
  await after.close();
  t.strictSame(
    readdirSync(data).filter((name) => name.startsWith('store')),
    ['store'],
  );
});
