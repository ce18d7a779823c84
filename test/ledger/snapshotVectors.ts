// The frozen snapshot of test/vectors/snapshot: a small chain across an epoch, as snapshot file and in words. Run by hand, once:
// `node test/ledger/snapshotVectors.ts`. Files that exist are kept.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toHex } from '../../src/codec/hex.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { loadGenesis } from '../../src/ledger/genesis.ts';
import { SnapshotFile } from '../../src/ledger/snapshotFile.ts';
import { decodePart } from '../../src/ledger/snapshotFormat.ts';
import { writeSnapshot } from '../../src/ledger/snapshotWrite.ts';
import { checkpointOf } from './checkpoints.ts';
import { addBlock, genesisDocument, genesisTime, openInMemory, packetsTx } from './fixtures.ts';
import { pass } from './governed.ts';

const options = { consensus: { maxTxLifetimeMs: 60_000 } };
export const snapshotVectorsDir = join(import.meta.dirname, '..', 'vectors', 'snapshot');

/** The file's bytes and what is in it. Deterministic in a fresh process. */
export async function makeSnapshotVectors(
  document: unknown = genesisDocument(4, options),
): Promise<{ readonly bytes: Uint8Array; readonly vector: unknown }> {
  const genesis = loadGenesis(encodeUtf8(JSON.stringify(document)));
  const ledger = await openInMemory(genesis);
  await pass(ledger, { kind: 'parameters', parameters: { ...genesis.epoch.consensus, fetchMs: 1500 } });
  for (let n = 1; n <= 12; n += 1) {
    const time = genesisTime + 10_000 * n;
    const txs = n % 4 === 0 ? [packetsTx(genesis.chain, 'alice', { nonce: n, expires: time + 30_000 })] : [];
    await addBlock(ledger, txs, { time });
  }
  const folder = mkdtempSync(join(tmpdir(), 'weft-vector-'));
  const path = join(folder, 'chain.snapshot');
  await writeSnapshot(await ledger.capture(), path, async () => checkpointOf(ledger));
  const bytes = new Uint8Array(readFileSync(path));
  const file = await SnapshotFile.open(path);
  const { chain, height, base, checkpoint, consistency, parts } = file.manifest;
  const { header, blockId } = ledger.finalized;
  const counts = await Promise.all(parts.map(async (_, i) => decodePart(await file.part(i)).length));
  await file.close();
  rmSync(folder, { recursive: true });
  const vector = {
    note: 'chain.snapshot is of the block of this height; genesis is its document. docs/formats.md, Snapshot',
    genesis: document,
    chain,
    id: file.id,
    height,
    blockId,
    stateRoot: header.stateRoot,
    logRoot: header.logRoot,
    logSize: header.logSize,
    base: { height: base.height, logSize: base.logSize, edge: base.edge.map(toHex) },
    checkpoint,
    consistency: consistency.map(toHex),
    parts: parts.map((part, i) => ({ ...part, items: counts[i] })),
  };
  return { bytes, vector };
}

if (import.meta.main) {
  mkdirSync(snapshotVectorsDir, { recursive: true });
  const { bytes, vector } = await makeSnapshotVectors();
  for (const [name, content] of [
    ['chain.snapshot', bytes],
    ['chain.json', `${JSON.stringify(vector, null, 1)}\n`],
  ] as const) {
    const path = join(snapshotVectorsDir, name);
    const kept = existsSync(path);
    if (!kept) writeFileSync(path, content);
    process.stdout.write(`${kept ? 'kept' : 'made'} ${name}\n`);
  }
}
