import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadGenesis } from '../../src/ledger/genesis.ts';
import { SnapshotFile } from '../../src/ledger/snapshotFile.ts';
import { loadSnapshot } from '../../src/ledger/snapshotLoad.ts';
import { MemoryDisk, openInMemory } from './fixtures.ts';
import { makeSnapshotVectors, snapshotVectorsDir } from './snapshotVectors.ts';

const path = join(snapshotVectorsDir, 'chain.snapshot');
const text = readFileSync(join(snapshotVectorsDir, 'chain.json'), 'utf8');
const frozen = JSON.parse(text) as { genesis: unknown; height: number; stateRoot: string; blockId: string };

t.test('the snapshot of the vectors comes out as it was frozen', async (t) => {
  const { bytes, vector } = await makeSnapshotVectors(frozen.genesis);
  t.equal(`${JSON.stringify(vector, null, 1)}\n`, text);
  t.ok(Buffer.compare(bytes, readFileSync(path)) === 0, 'byte for byte');
});

t.test('and a ledger begins from it', async (t) => {
  const genesis = loadGenesis(Buffer.from(JSON.stringify(frozen.genesis)));
  const file = await SnapshotFile.open(path);
  const disk = new MemoryDisk();
  await loadSnapshot(file, genesis, disk.database);
  await file.close();
  const ledger = await openInMemory(genesis, disk);
  t.equal(ledger.finalized.blockId, frozen.blockId);
  t.match(ledger.finalized.header, { height: frozen.height, stateRoot: frozen.stateRoot, epoch: 2 });
});
