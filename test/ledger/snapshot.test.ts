import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { encodeCbor } from '../../src/codec/cbor.ts';
import { toHex } from '../../src/codec/hex.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { SnapshotFile } from '../../src/ledger/snapshotFile.ts';
import { decodePart, partKinds, type SnapshotManifest } from '../../src/ledger/snapshotFormat.ts';
import { loadSnapshot } from '../../src/ledger/snapshotLoad.ts';
import { writeSnapshot } from '../../src/ledger/snapshotWrite.ts';
import { checkpointOf } from './checkpoints.ts';
import { addBlock, genesisTime, MemoryDisk, makeGenesis, openInMemory, packetsTx, registerTx } from './fixtures.ts';
import { entryOf, pass, setChange } from './governed.ts';

const lifetime = 60_000;
const { genesis } = makeGenesis(4, { consensus: { maxTxLifetimeMs: lifetime } });
const folder = mkdtempSync(join(tmpdir(), 'weft-snapshot-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

/** Blocks a second apart, a transaction in every third, so that the window of 60 s covers the last 60. */
async function chainOf(blocks: number): Promise<Ledger> {
  const ledger = await openInMemory(genesis);
  for (let i = 1; i <= blocks; i += 1) {
    const expires = ledger.finalized.header.time + 1000 + lifetime;
    const txs =
      i % 3 !== 0
        ? []
        : i % 9 === 0
          ? [registerTx(genesis.chain, `user${i}`, { expires })]
          : [packetsTx(genesis.chain, 'alice', { expires })];
    await addBlock(ledger, txs);
  }
  return ledger;
}

const ledgerP = chainOf(320);
const snapshotAt = async (ledger: Ledger, name = 'one'): Promise<string> => {
  const path = join(folder, name);
  await writeSnapshot(await ledger.capture(), path, async () => checkpointOf(ledger));
  return path;
};

async function load(path: string): Promise<{ disk: MemoryDisk; height: number }> {
  const file = await SnapshotFile.open(path);
  const disk = new MemoryDisk();
  try {
    const { header } = await loadSnapshot(file, genesis, disk.database);
    return { disk, height: header.height };
  } finally {
    await file.close();
  }
}

t.test('a ledger from a snapshot goes on exactly as the one it was taken from', async (t) => {
  const ledger = await ledgerP;
  const path = await snapshotAt(ledger);
  const { disk, height } = await load(path);
  t.equal(height, 320);
  const copy = await openInMemory(genesis, disk);
  t.strictSame(copy.finalized.header, ledger.finalized.header);
  t.equal(toHex(copy.logRoot(copy.finalized.header.logSize)), ledger.finalized.header.logRoot);
  const { floor } = copy;
  t.equal(floor.height, 261, 'the base is the last block that is 60 s older');
  t.strictSame(copy.block(300), ledger.block(300) && { ...ledger.block(300), certificate: undefined });
  t.strictSame(copy.body(floor.height), ledger.body(floor.height));
  t.equal(copy.block(100), undefined);
  t.equal(copy.body(floor.height - 1), undefined);
  t.equal(copy.exportRun(100, 1000), undefined);
  for (const type of ['packets.committed', 'identity.registered']) {
    const all = await ledger.recordsOf({ type }, floor.logSize, 1000);
    t.ok(all.length > 0, type);
    t.strictSame(await copy.recordsOf({ type }, 0, 1000), all);
  }
  t.strictSame(
    await copy.recordsOf({ account: 'alice' }, 0, 1000),
    await ledger.recordsOf({ account: 'alice' }, floor.logSize, 1000),
  );
  for (const index of await copy.recordsOf({ account: 'alice' }, 0, 1000)) {
    t.strictSame(copy.entry(index), ledger.entry(index));
    const size = copy.finalized.header.logSize;
    t.strictSame(copy.logProof(index, size), ledger.logProof(index, size), `proof of ${index}`);
  }
  for (const one of [ledger, copy]) {
    for (let i = 0; i < 300; i += 1) {
      const expires = one.finalized.header.time + 30_000;
      await addBlock(one, [packetsTx(genesis.chain, 'alice', { expires, nonce: 100_000 + i })]);
    }
  }
  t.strictSame(copy.finalized.header, ledger.finalized.header, 'another 300 blocks on both, tiles full on the way');
  const again = await openInMemory(genesis, disk.powerLoss());
  t.strictSame(again.finalized.header, ledger.finalized.header, 'and after a restart');
  const { logSize } = ledger.finalized.header;
  t.strictSame(again.logProof(logSize - 200, logSize), ledger.logProof(logSize - 200, logSize));
  t.ok(again.tile('tile/0/001')?.full ?? ledger.tile('tile/0/001') === undefined);
  t.throws(() => again.logProof(3, logSize), { code: 'LOG_TILE_MISSING' });
});

t.test('what stands in the duplicate window is refused by a ledger from a snapshot', async (t) => {
  const ledger = await openInMemory(genesis);
  const { chain } = genesis;
  const late = packetsTx(chain, 'alice', { expires: genesisTime + 90_000 });
  for (let i = 1; i <= 100; i += 1) await addBlock(ledger, i === 40 ? [late] : []);
  // Block 40 has time +40 s; block 80 is the snapshot's: 40 s later the transaction still lives.
  const snapshot = await openInMemory(genesis);
  for (let i = 1; i <= 80; i += 1) await addBlock(snapshot, i === 40 ? [late] : []);
  const { disk } = await load(await snapshotAt(snapshot, 'window'));
  const copy = await openInMemory(genesis, disk);
  t.ok(copy.seen((await copy.prepare([late], 'admission')).map((each) => ('tx' in each ? each.tx.txId : ''))[0] ?? ''));
  await t.rejects(addBlock(copy, [late]), { message: 'TX_DUPLICATE' });
});

t.test('a young chain: the snapshot begins at genesis and holds everything', async (t) => {
  const ledger = await chainOf(20);
  const { disk } = await load(await snapshotAt(ledger, 'young'));
  const copy = await openInMemory(genesis, disk);
  t.strictSame(copy.floor, { height: 1, logSize: 1, entry: 0, tiles: 0 });
  t.strictSame(copy.exportRun(1, 1 << 20)?.headers, ledger.exportRun(1, 1 << 20)?.headers);
  t.strictSame(copy.entry(0), ledger.entry(0));
});

t.test('every lie is refused with its code, and nothing that is not whole is taken for a store', async (t) => {
  const ledger = await ledgerP;
  const path = await snapshotAt(ledger, 'lies');
  const file = await SnapshotFile.open(path);
  t.teardown(() => file.close());
  const parts = await Promise.all(file.manifest.parts.map((_, i) => file.part(i)));
  const attempt = async (
    change: Partial<SnapshotManifest>,
    parting: (kind: number, items: unknown[], nth: number) => unknown[] = (_, items) => items,
  ) => {
    const disk = new MemoryDisk();
    const manifest = { ...file.manifest, ...change };
    const source = {
      manifest,
      part: async (i: number) => {
        const nth = manifest.parts.slice(0, i).filter(({ kind }) => kind === manifest.parts[i]!.kind).length;
        return encodeCbor(parting(manifest.parts[i]!.kind, [...decodePart(parts[i]!)], nth) as never);
      },
    };
    const code = await loadSnapshot(source, genesis, disk.database).then(
      () => 'taken',
      (error: { code: string }) => error.code,
    );
    if (code !== 'taken') t.equal((await openInMemory(genesis, disk)).finalized.header.height, 0);
    return code;
  };
  t.equal(await attempt({}), 'taken');
  const other = makeGenesis(4, { name: 'other' }).genesis;
  await t.rejects(loadSnapshot(file, other, new MemoryDisk().database), { code: 'SNAPSHOT_OTHER_CHAIN' });
  const older = ledger.block(310)!;
  t.equal(await attempt({ header: older.headerBytes }), 'SNAPSHOT_WALK', 'a finalization of another block');
  t.equal(await attempt({ height: 319 }), 'SNAPSHOT_WALK');
  const cut = file.manifest.finalization.slice();
  cut[cut.length - 5]! ^= 1;
  t.equal(await attempt({ finalization: cut }), 'SNAPSHOT_WALK');
  t.equal(await attempt({ checkpoint: checkpointOf(ledger, { cosigners: 2 }) }), 'SNAPSHOT_CHECKPOINT');
  t.equal(await attempt({ checkpoint: checkpointOf(ledger, { size: 50 }) }), 'SNAPSHOT_CHECKPOINT');
  t.equal(await attempt({ checkpoint: 'nonsense' }), 'SNAPSHOT_CHECKPOINT');
  const wrongRoot = checkpointOf(ledger, { size: file.manifest.base.logSize + 5000, root: new Uint8Array(32) });
  t.equal(await attempt({ checkpoint: wrongRoot }), 'SNAPSHOT_CHECKPOINT');
  const drop = (kind: number) => (each: number, items: unknown[], nth: number) =>
    each === kind && nth === 0 ? items.slice(1) : items;
  t.equal(await attempt({}, drop(partKinds.headers)), 'SNAPSHOT_HEADERS');
  t.equal(await attempt({}, drop(partKinds.entries)), 'SNAPSHOT_LOG');
  t.equal(await attempt({}, drop(partKinds.state)), 'SNAPSHOT_STATE');
  const { base } = file.manifest;
  const short = { ...base, height: base.height + 30, logSize: ledger.block(base.height + 30)!.header.logSize };
  const shorter = (kind: number, items: unknown[], nth: number) =>
    kind === partKinds.headers && nth === 0 ? items.slice(30) : items;
  t.equal(await attempt({ base: short }, shorter), 'SNAPSHOT_WINDOW', 'duplicates could pass');
  t.equal(await attempt({ base: { ...base, height: 0 } }), 'SNAPSHOT_HEADERS');
  t.equal(
    await attempt({ base: { ...base, edge: base.edge.map((each) => each.map((byte) => byte ^ 1)) } }),
    'SNAPSHOT_LOG',
  );
  t.equal(await attempt({ base: { ...base, edge: [] } }), 'SNAPSHOT_LOG');
  t.equal(
    await attempt({}, (kind, items) =>
      kind === partKinds.entries ? items.map((_, i) => new Uint8Array([i & 255])) : items,
    ),
    'SNAPSHOT_INVALID',
  );
  t.equal(
    await attempt({}, (kind, items) => (kind === partKinds.state ? [...items].reverse() : items)),
    'SNAPSHOT_STATE',
  );
  t.equal(
    await attempt({}, (kind, items) =>
      kind === partKinds.state ? [...items, ['zz/zz/zz', new Uint8Array([0x31])]] : items,
    ),
    'SNAPSHOT_STATE',
    'a value more',
  );
});

t.test('a lie is held neither whole nor for long: bytes are bounded before its hashes show it', async (t) => {
  const path = await snapshotAt(await chainOf(12), 'bounds');
  const file = await SnapshotFile.open(path);
  t.teardown(() => file.close());
  const attempt = async (kind: number, more: (n: number) => unknown, count: number) => {
    const disk = new MemoryDisk();
    let largest = 0;
    let written = 0;
    const database = {
      ...disk.database,
      get: (key: Uint8Array) => disk.database.get(key),
      // What is written is counted and let go.
      write: async (ops: readonly { key: Uint8Array; value?: Uint8Array }[]) => {
        const bytes = ops.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0);
        largest = Math.max(largest, bytes);
        written += bytes;
      },
    };
    const last = file.manifest.parts.findLastIndex((part) => part.kind === kind);
    const manifest = {
      ...file.manifest,
      parts: file.manifest.parts.flatMap((part, i) => (i === last ? Array(1 + count).fill(part) : [part])),
    };
    const source = {
      manifest,
      part: async (i: number) => {
        const n = i - last;
        return n > 0 && n <= count ? encodeCbor([more(n)] as never) : file.part(n > count ? i - count : i);
      },
    };
    const code = await loadSnapshot(source, genesis, database).then(
      () => 'taken',
      (error: { code: string }) => error.code,
    );
    return { code, largest, written };
  };
  const text = (bytes: number) => new TextEncoder().encode(JSON.stringify('a'.repeat(bytes - 2)));
  const megabyte = 1024 * 1024;
  const many = await attempt(partKinds.state, (n) => [`zz/z/${1000 + n}`, text(megabyte)], 20);
  t.equal(many.code, 'SNAPSHOT_STATE');
  t.ok(many.written > 15 * megabyte && many.largest < 6 * megabyte, `${many.largest} bytes at once`);
  const large = await attempt(partKinds.state, (n) => [`zz/z/${1000 + n}`, text(megabyte + 1)], 20);
  t.equal(large.code, 'SNAPSHOT_STATE');
  t.ok(large.written < megabyte, 'no contract writes such a value');
  const swollen = {
    manifest: file.manifest,
    part: async (i: number) =>
      file.manifest.parts[i]?.kind === partKinds.entries
        ? encodeCbor([new Uint8Array(65_536), ...decodePart(await file.part(i)).slice(1)])
        : file.part(i),
  };
  await t.rejects(loadSnapshot(swollen, genesis, new MemoryDisk().database), {
    code: 'SNAPSHOT_LOG',
    message: /an entry has 65536 bytes/,
  });
});

t.test('a file with any byte changed is refused', async (t) => {
  const path = await snapshotAt(await chainOf(12), 'bytes');
  const bytes = readFileSync(path);
  const bent = join(folder, 'bent');
  let taken = 0;
  for (let at = 0; at < bytes.length; at += Math.ceil(bytes.length / 60)) {
    const copy = Buffer.from(bytes);
    copy[at]! ^= 1;
    writeFileSync(bent, copy);
    const code = await load(bent).then(
      () => 'taken',
      (error: { code?: string }) => error.code ?? String(error),
    );
    t.match(code, /^SNAPSHOT_/, `byte ${at}`);
    if (code === 'taken') taken += 1;
  }
  t.equal(taken, 0);
  writeFileSync(bent, bytes.subarray(0, bytes.length - 1));
  await t.rejects(load(bent), { code: 'SNAPSHOT_INVALID' });
  await t.rejects(load(join(folder, 'absent')), { code: 'SNAPSHOT_UNREADABLE' });
});

t.test('across two epochs: the walk leads from genesis to validators with other keys', async (t) => {
  const ledger = await openInMemory(genesis);
  const quiet = async (blocks: number): Promise<void> => {
    for (let i = 0; i < blocks; i += 1) await addBlock(ledger, []);
  };
  await quiet(20);
  await pass(ledger, { kind: 'parameters', parameters: { ...genesis.epoch.consensus, fetchMs: 1500 } });
  await quiet(100);
  await pass(ledger, setChange([entryOf('v02', 1)]), ['v01', ['v02', 1], 'v03', 'v04']);
  await quiet(5);
  t.equal(ledger.epoch.epoch, 3);
  const path = await snapshotAt(ledger, 'epochs');
  const { disk } = await load(path);
  const copy = await openInMemory(genesis, disk);
  t.strictSame(copy.epoch, ledger.epoch, 'with URLs, from state');
  t.equal(copy.epochOf(2)?.digest, ledger.epochOf(2)?.digest);
  t.ok(copy.floor.height > 24, `begins at ${copy.floor.height}`);
  t.equal(
    copy.block(23)?.blockId,
    ledger.block(23)?.blockId,
    'the closing block of epoch 1 is held, far below the floor',
  );
  t.ok(copy.certificate(23));
  await addBlock(copy, []);
  // A snapshot of the copy has the same walk.
  const again = join(folder, 'again');
  await writeSnapshot(await copy.capture(), again, async () => checkpointOf(copy));
  t.equal((await load(again)).height, copy.finalized.header.height);
  const file = await SnapshotFile.open(path);
  t.teardown(() => file.close());
  const skipping = {
    manifest: file.manifest,
    part: async (i: number) =>
      file.manifest.parts[i]?.kind === partKinds.walk
        ? encodeCbor([...decodePart(await file.part(i))].slice(0, 1) as never)
        : file.part(i),
  };
  await t.rejects(loadSnapshot(skipping, genesis, new MemoryDisk().database), { code: 'SNAPSHOT_WALK' });
});
