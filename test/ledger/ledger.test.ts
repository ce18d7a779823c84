import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { decodeTransaction } from '../../contracts/transaction.ts';
import { canonicalJson } from '../../src/codec/canonical.ts';
import { fromHex, toHex } from '../../src/codec/hex.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { treeHasher } from '../../src/ledger/body.ts';
import { encodeCertificate } from '../../src/ledger/certificate.ts';
import { blockIdOf, encodeHeader } from '../../src/ledger/header.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { decodeBundle } from '../../src/log/bundles.ts';
import { verifyConsistency, verifyInclusion } from '../../src/log/proofs.ts';
import { verifyStateProof } from '../../src/log/stateProof.ts';
import { stateKey } from '../../src/log/stateTree.ts';
import {
  addBlock,
  buildBlock,
  finalizationOf,
  genesisDocument,
  genesisTime,
  MemoryDisk,
  makeGenesis,
  openInMemory,
  packetsTx,
  registerTx,
} from './fixtures.ts';

const code = (error: unknown) => (error as { code?: string }).code;

t.test('genesis', async (t) => {
  const { bytes, genesis } = makeGenesis(4);
  const ledger = await openInMemory(bytes);
  t.match(genesis.chain, /^weft-test-[0-9a-f]{12}$/);
  t.equal(genesis.origin, `${genesis.chain}/weft`);
  t.equal(ledger.finalized.blockId, genesis.genesisHash);
  t.match(ledger.finalized.facts, { height: 0, view: 0, epoch: 0, closing: false, empty: true });
  t.match(ledger.epoch, { epoch: 1, quorum: 3 });
  t.equal(ledger.block(0)?.blockId, genesis.genesisHash);
  t.equal(ledger.block(genesis.genesisHash)?.header.logSize, 1);
  t.same(ledger.entry(0)?.leaf, genesis.leaf);
  t.equal(toHex(ledger.logRoot(1)), ledger.finalized.header.logRoot);
  const pretty = encodeUtf8(`${JSON.stringify(genesisDocument(4), null, 2)}\n`);
  t.equal((await openInMemory(pretty)).genesis.genesisHash, genesis.genesisHash, 'one document in two spellings');
  const text = JSON.stringify(genesisDocument(4));
  for (const [name, bad, wanted] of [
    ['a member twice', text.replace('{"format"', '{"format":"x","format"'), 'GENESIS_INVALID'],
    ['other white space', text.replace('{"format"', '{ "format"'), 'GENESIS_INVALID'],
    ['no JSON', '{', 'GENESIS_INVALID'],
    ['an unknown ruleset', text.replace('"ruleset":1', '"ruleset":99'), 'RULESET_UNKNOWN'],
    ['an unknown member', text.replace('"ruleset":1', '"ruleset":1,"more":1'), 'GENESIS_INVALID'],
    [
      'a wrong proof of possession',
      JSON.stringify(genesisDocument(4)).replace('"name":"weft-test"', '"name":"weft-tesu"'),
      'GENESIS_INVALID',
    ],
    ['no policy engine of ours', text.replace('"sdk":"', '"sdk":"9'), 'GENESIS_INVALID'],
  ] as const) {
    await openInMemory(encodeUtf8(bad)).then(
      () => t.fail(name),
      (error: unknown) => t.equal(code(error), wanted, name),
    );
  }
});

t.test('commit, reads, restart', async (t) => {
  const { bytes, genesis } = makeGenesis(4);
  const disk = new MemoryDisk();
  const ledger = await openInMemory(bytes, disk);
  const chain = genesis.chain;
  const sent = packetsTx(chain, 'alice');
  await addBlock(ledger, [sent, registerTx(chain, 'carol')]);
  for (let i = 0; i < 5; i += 1)
    await addBlock(
      ledger,
      Array.from({ length: 30 * i }, () => packetsTx(chain, i % 2 === 0 ? 'alice' : 'carol')),
    );
  const check = async (ledger: Ledger) => {
    const { header } = ledger.finalized;
    t.equal(header.height, 6);
    t.equal(toHex(ledger.logRoot(header.logSize)), header.logRoot);
    const { txId } = decodeTransaction(sent);
    t.match(ledger.transaction(txId), { height: 1, index: 1, time: genesisTime + 1000, records: [{ index: 2 }] });
    t.equal(ledger.transaction('00'.repeat(32)), undefined);
    t.equal(ledger.transaction('junk'), undefined);
    t.equal(ledger.block(1)?.transactions, 2);
    t.equal(ledger.block(ledger.block(3)!.blockId)?.header.height, 3);
    t.equal(ledger.block(7), undefined);
    t.equal(ledger.certificate(2)?.subject.blockId, ledger.block(2)?.blockId);
    for (let index = 0; index < header.logSize; index += 13) {
      const { leaf, height } = ledger.entry(index)!;
      t.ok(
        index < ledger.block(height)!.header.logSize &&
          (height === 0 || index >= ledger.block(height - 1)!.header.logSize),
      );
      const size = header.logSize - 3;
      if (index >= size) continue;
      t.ok(
        verifyInclusion(treeHasher, {
          index,
          size,
          leafHash: treeHasher.leafHash(leaf),
          hashes: ledger.logProof(index, size),
          root: ledger.logRoot(size),
        }),
      );
    }
    t.equal(ledger.entry(header.logSize), undefined);
    for (let old = 1; old <= header.logSize; old += 97) {
      t.ok(
        verifyConsistency(treeHasher, {
          oldSize: old,
          oldRoot: ledger.logRoot(old),
          newSize: header.logSize,
          newRoot: ledger.logRoot(header.logSize),
          hashes: ledger.consistencyProof(old, header.logSize),
        }),
      );
    }
    t.throws(() => ledger.logRoot(header.logSize + 1), { code: 'LOG_INDEX_OUT_OF_RANGE' });
    for (const path of ['identity/account/carol', 'identity/account/nobody']) {
      const { value, proof } = ledger.stateProof(path);
      const proven = verifyStateProof(sha256, fromHex(header.stateRoot), stateKey(sha256, path), proof);
      t.same(proven, value === undefined ? undefined : sha256(encodeUtf8(canonicalJson(value))));
      t.same(value, ledger.state.get(path));
    }
    t.equal(ledger.tile('tile/0/000')?.bytes.length, 8192);
    for (const width of [1, 77, 255]) {
      t.same(
        ledger.tile(`tile/0/000.p/${width}`)?.bytes,
        ledger.tile('tile/0/000')?.bytes.slice(0, 32 * width),
        'partial tiles of every size',
      );
      t.equal(decodeBundle(ledger.tile(`tile/entries/000.p/${width}`)!.bytes, width).length, width);
    }
    const last = header.logSize % 256;
    const n = String(Math.floor(header.logSize / 256)).padStart(3, '0');
    t.equal(ledger.tile(`tile/0/${n}.p/${last}`)?.bytes.length, 32 * last);
    t.equal(ledger.tile(`tile/0/${n}.p/${last + 1}`), undefined);
    t.equal(ledger.tile(`tile/0/${n}`), undefined);
    t.equal(ledger.tile('tile/1/000.p/1')?.full, false);
    t.equal(ledger.tile('tile/0/junk'), undefined);
    t.equal((await ledger.recordsOf({ type: 'identity.registered' }, 0, 10)).length, 1);
    const carols = await ledger.recordsOf({ account: 'carol' }, 0, 1000);
    t.equal(carols.length, 120);
    t.strictSame(await ledger.recordsOf({ account: 'carol' }, carols[5]!, 2), carols.slice(5, 7));
    const packets = await ledger.recordsOf({ type: 'packets.committed' }, 0, 1000);
    t.ok(packets.length > 3);
    t.strictSame(await ledger.newestRecords('packets.committed', 3), packets.slice(-3).reverse());
    t.equal((await ledger.recordsOf({ account: 'caro' }, 0, 1000)).length, 0, 'a name is not a prefix');
    t.same(ledger.blockBytes(ledger.block(3)!.blockId)?.body, ledger.body(3));
  };
  await check(ledger);
  await ledger.close();
  const again = await openInMemory(bytes, disk);
  t.strictSame(again.finalized, ledger.finalized);
  await check(again);
  const a = await addBlock(again, [packetsTx(chain, 'alice')]);
  t.equal(a.header.height, 7);
});

t.test('branches: what conflicts with the finalized block is dropped', async (t) => {
  const { bytes, genesis } = makeGenesis(4);
  const ledger = await openInMemory(bytes);
  const epoch = ledger.epoch;
  const a1 = await buildBlock(ledger, [registerTx(genesis.chain, 'carol')], { view: 1 });
  const b1 = await buildBlock(ledger, [registerTx(genesis.chain, 'dave')], { view: 2 });
  const a2 = await buildBlock(ledger, [packetsTx(genesis.chain, 'carol')], { parent: a1.blockId, view: 3 });
  const a3 = await buildBlock(ledger, [], { parent: a2.blockId, view: 4 });
  const b2 = await buildBlock(ledger, [packetsTx(genesis.chain, 'dave')], { parent: b1.blockId, view: 5 });
  const pending = ledger.startBlock(b2.blockId, { epoch: 1, view: 6, proposer: 0, time: genesisTime + 99_000 });
  t.equal(ledger.state.get('identity/account/carol'), undefined, 'nothing unfinalized is read');
  const committed = await ledger.commit(a2.blockId, finalizationOf(genesis, epoch, a2));
  t.strictSame(
    committed.map(({ blockId }) => blockId),
    [a1.blockId, a2.blockId],
    'ancestors first',
  );
  t.strictSame(
    committed.map(({ certificate }) => certificate?.subject.blockId),
    [undefined, a2.blockId],
  );
  t.ok(ledger.state.get('identity/account/carol'));
  t.equal(ledger.state.get('identity/account/dave'), undefined);
  t.strictSame(
    [a1, b1, b2, a2, a3].map(({ blockId }) => ledger.canExtend(blockId)),
    [false, false, false, true, true],
  );
  t.throws(() => pending.seal(), { code: 'PARENT_GONE' });
  t.strictSame(await ledger.commit(a1.blockId, finalizationOf(genesis, epoch, a1)), [], 'final already');
  await t.rejects(ledger.commit(b2.blockId, finalizationOf(genesis, epoch, b2)), { code: 'BLOCK_UNKNOWN' });
  await t.rejects(ledger.commit(a3.blockId, finalizationOf(genesis, epoch, a2)), { code: 'CERTIFICATE_INVALID' });
  t.equal(
    (await ledger.commit(a3.blockId, finalizationOf(genesis, epoch, a3))).length,
    1,
    'children keep working while their parents sink',
  );
  t.equal((await ledger.check(b1.headerBytes, b1.body)).verdict, 'missing-parent');
});

t.test('runs carry a chain from node to node', async (t) => {
  const { bytes, genesis } = makeGenesis(4);
  const source = await openInMemory(bytes);
  const epoch = source.epoch;
  for (let i = 0; i < 3; i += 1)
    await addBlock(source, [packetsTx(genesis.chain, 'alice'), packetsTx(genesis.chain, 'bob')]);
  const one = await buildBlock(source, [packetsTx(genesis.chain, 'alice')]);
  const two = await buildBlock(source, [registerTx(genesis.chain, 'carol')], { parent: one.blockId });
  await source.commit(two.blockId, finalizationOf(genesis, epoch, two));
  const target = await openInMemory(bytes);
  const all = source.exportRun(1, 1_000_000)!;
  t.equal(all.headers.length, 5);
  t.equal(source.exportRun(1, 1)!.headers.length, 1, 'at least one block');
  t.equal(source.exportRun(4, 1)!.headers.length, 2, 'to the next finalization');
  t.equal(source.exportRun(6, 1000), undefined);
  t.equal(source.exportRun(0, 1000), undefined);
  const refused = (run: typeof all, wanted: string, name: string) =>
    target.importRun(run).then(
      () => t.fail(name),
      (error: unknown) => t.equal(code(error), wanted, name),
    );
  const forge = (signers: number[], view = two.header.view) =>
    encodeCertificate(finalizationOf(genesis, epoch, two, { signers, view }), 4);
  const broken = all.certificate.slice();
  broken[broken.length - 1]! ^= 1;
  await refused(source.exportRun(4, 1)!, 'RUN_GAP', 'begins too high');
  await refused({ ...all, certificate: broken }, 'RUN_INVALID', 'a broken signature');
  await refused({ ...all, certificate: forge([0, 1]) }, 'RUN_INVALID', 'too few signers');
  await refused(
    { ...all, headers: all.headers.slice(0, 4), bodies: all.bodies.slice(0, 4) },
    'RUN_INVALID',
    'another last block',
  );
  await refused(
    { ...all, headers: [all.headers[0]!, ...all.headers.slice(2)], bodies: [all.bodies[0]!, ...all.bodies.slice(2)] },
    'RUN_INVALID',
    'a block is missing',
  );
  await refused({ ...all, bodies: [...all.bodies].reverse() }, 'RUN_INVALID', 'bodies of others');
  await refused({ ...all, bodies: all.bodies.slice(1) }, 'RUN_INVALID', 'a body is missing');
  await refused({ headers: [], bodies: [], certificate: all.certificate }, 'RUN_INVALID', 'empty');
  t.equal(target.finalized.header.height, 0);
  t.equal((await target.importRun(source.exportRun(1, 1)!)).length, 1);
  t.equal((await target.importRun(all)).length, 4, 'what is known is skipped');
  t.strictSame(await target.importRun(all), []);
  t.strictSame(target.finalized.header, source.finalized.header);
  const other = makeGenesis(4, { name: 'weft-other' });
  const stranger = await openInMemory(other.bytes);
  await stranger.importRun(all).then(
    () => t.fail(),
    (error: unknown) => t.equal(code(error), 'RUN_INVALID', 'another network'),
  );
});

t.test('finalized by a quorum, and other roots here: stop, do not blame', async (t) => {
  const { genesis } = makeGenesis(4);
  const source = await openInMemory(genesis);
  const target = await openInMemory(genesis);
  const honest = await buildBlock(source, [registerTx(genesis.chain, 'carol')]);
  const header = { ...honest.header, stateRoot: '44'.repeat(32) };
  const lie = { blockId: blockIdOf(header), header };
  const certificate = encodeCertificate(finalizationOf(genesis, source.epoch, lie), 4);
  await target.importRun({ headers: [encodeHeader(header)], bodies: [honest.body], certificate }).then(
    () => t.fail('taken'),
    (error: unknown) =>
      t.match(error, { code: 'STATE_DIVERGED', details: { height: 1, reason: 'STATE_ROOT_MISMATCH' } }),
  );
  t.equal(target.finalized.header.height, 0);
});

t.test('tiles of sizes that had a checkpoint are there while a batch is being written', async (t) => {
  const { genesis } = makeGenesis(1);
  const disk = new MemoryDisk();
  const ledger = await openInMemory(genesis, disk);
  const block = () => Array.from({ length: 100 }, () => packetsTx(genesis.chain, 'alice'));
  await addBlock(ledger, block());
  const before = ledger.tile('tile/0/000.p/202')?.bytes;
  t.equal(before?.length, 32 * 202);
  let during: Uint8Array | undefined;
  disk.before = () => {
    during = ledger.tile('tile/0/000.p/202')?.bytes;
    t.equal(ledger.tile('tile/0/000'), undefined, 'nothing beyond the durable size');
    t.equal(toHex(ledger.logRoot(202)), ledger.finalized.header.logRoot);
  };
  await addBlock(ledger, block());
  t.same(during, before);
  t.ok(ledger.tile('tile/0/000')?.full);
});

t.test('the newest states are proven under the checkpoint of their own block, also behind the tip', async (t) => {
  const { genesis } = makeGenesis(4);
  const ledger = await openInMemory(genesis);
  const first = await addBlock(ledger, [registerTx(genesis.chain, 'carol')]);
  await addBlock(ledger, [registerTx(genesis.chain, 'dave')]);
  const path = 'identity/account/carol';
  for (const header of [first.header, ledger.finalized.header]) {
    const [found] = ledger.stateProofsAt(header.logSize, [path]) ?? [];
    const proven = found && verifyStateProof(sha256, fromHex(header.stateRoot), stateKey(sha256, path), found.proof);
    t.strictSame(proven, sha256(encodeUtf8(canonicalJson(found?.value))), `height ${header.height}`);
  }
  const [before] = ledger.stateProofsAt(first.header.logSize, ['identity/account/dave']) ?? [];
  t.equal(before?.value, undefined, 'as it was then');
  await ledger.close();
});

t.test('the cosigner never goes back', async (t) => {
  const { bytes } = makeGenesis(1);
  const disk = new MemoryDisk();
  const ledger = await openInMemory(bytes, disk);
  t.equal(await ledger.rememberCheckpoint(10, 'aa'), true);
  t.equal(await ledger.rememberCheckpoint(10, 'aa'), true, 'the same again, with a new time');
  t.equal(await ledger.rememberCheckpoint(10, 'bb'), false);
  t.equal(await ledger.rememberCheckpoint(9, 'cc'), false);
  const again = await openInMemory(bytes, disk.powerLoss());
  t.equal(await again.rememberCheckpoint(9, 'cc'), false, 'nor after a power loss');
  t.equal(await again.rememberCheckpoint(11, 'dd'), true);
  await again.putNote('checkpoint', encodeUtf8('text'));
  t.same((await openInMemory(bytes, disk.powerLoss())).note('checkpoint'), undefined);
  t.same(again.note('checkpoint'), encodeUtf8('text'));
});

t.test(
  'what a commit remembers of the checkpoint after it needs no write of its own, and never goes back',
  async (t) => {
    const { bytes, genesis } = makeGenesis(1);
    const disk = new MemoryDisk();
    const ledger = await openInMemory(bytes, disk);
    const first = await buildBlock(ledger, []);
    await ledger.commit(first.blockId, finalizationOf(genesis, ledger.epoch, first), true);
    const { logSize, logRoot } = first.header;
    const again = await openInMemory(bytes, disk.powerLoss());
    t.equal(await again.rememberCheckpoint(logSize, 'bb'), false, 'durable with the block');
    let writes = 0;
    disk.before = () => {
      writes += 1;
    };
    t.equal(await ledger.rememberCheckpoint(logSize, logRoot), true);
    t.equal(writes, 0);
    t.equal(await ledger.rememberCheckpoint(1000, 'aa'), true);
    t.ok(writes > 0);
    const second = await buildBlock(ledger, []);
    await ledger.commit(second.blockId, finalizationOf(genesis, ledger.epoch, second), true);
    t.equal(await ledger.rememberCheckpoint(1000, 'aa'), true);
    t.equal(await ledger.rememberCheckpoint(999, 'aa'), false);
  },
);

t.test('a failed disk stops all writing', async (t) => {
  const { bytes, genesis } = makeGenesis(1);
  const disk = new MemoryDisk();
  const ledger = await openInMemory(bytes, disk);
  const block = await buildBlock(ledger, []);
  disk.before = () => {
    throw new Error('EIO');
  };
  await t.rejects(ledger.commit(block.blockId, finalizationOf(genesis, ledger.epoch, block)), { code: 'DISK_FAILED' });
  disk.before = () => undefined;
  await t.rejects(ledger.commit(block.blockId, finalizationOf(genesis, ledger.epoch, block)), { code: 'DISK_FAILED' });
  t.equal(ledger.finalized.header.height, 0);
});

t.test('on a real disk, with Level', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-ledger-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const { bytes, genesis } = makeGenesis(1);
  const ledger = await Ledger.open({ dir, genesis: bytes });
  await addBlock(
    ledger,
    Array.from({ length: 200 }, () => packetsTx(genesis.chain, 'alice')),
  );
  await addBlock(ledger, [registerTx(genesis.chain, 'carol')]);
  await t.rejects(Ledger.open({ dir, genesis: bytes }), { code: 'DATA_LOCKED' });
  await ledger.close();
  await t.rejects(Ledger.open({ dir, genesis: makeGenesis(4).bytes }), { code: 'DATA_OTHER_CHAIN' });
  const again = await Ledger.open({ dir, genesis: bytes });
  t.strictSame(again.finalized.header, ledger.finalized.header);
  t.equal((await again.recordsOf({ account: 'alice' }, 0, 1000)).length, 200);
  t.ok(again.tile('tile/0/000')?.full);
  await again.close();
});

t.test('two final chains are told apart from a made-up one', async (t) => {
  const { bytes } = makeGenesis(4);
  const [ours, theirs] = [await openInMemory(bytes), await openInMemory(bytes)];
  await addBlock(ours, [], { time: ours.finalized.header.time + 1 });
  await addBlock(theirs, [], { time: theirs.finalized.header.time + 2 });
  await addBlock(theirs, []);
  const run = theirs.exportRun(1, 1_000_000)!;
  await t.rejects(ours.importRun(run), { code: 'FINALITY_CONFLICT' });
  const forged = run.certificate.map((byte, i) => (i === run.certificate.length - 1 ? byte ^ 1 : byte));
  await t.rejects(ours.importRun({ ...run, certificate: forged }), { code: 'RUN_INVALID' }, 'signed by nobody');
  t.equal(ours.finalized.header.height, 1, 'nothing changed');
  await ours.close();
  await theirs.close();
});
