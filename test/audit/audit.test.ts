import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import t from 'tap';
import { type AuditOptions, type AuditReport, auditArchive as audit } from '../../src/audit/audit.ts';
import { compareChains } from '../../src/audit/compare.ts';
import { concat } from '../../src/codec/utf8.ts';
import { envelopeIdOf } from '../../src/crypto/digests.ts';
import { inPieces, readArchive } from '../../src/ledger/archive.ts';
import { decodeBody, encodeBody, txRootOf } from '../../src/ledger/body.ts';
import { encodeCertificate } from '../../src/ledger/certificate.ts';
import { exportArchive } from '../../src/ledger/exportArchive.ts';
import { blockIdOf, decodeHeader, encodeHeader, type Header } from '../../src/ledger/header.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { addBlock, finalizationOf, makeGenesis, openInMemory, packetsTx } from '../ledger/fixtures.ts';
import {
  archiveOf,
  checkpointOf,
  type Item,
  itemsOf,
  sampleChain,
  sealBytes,
  sealItems,
  sealRaw,
  turnsThread,
} from './fixtures.ts';

const ledger = await sampleChain();
const { genesis, epoch } = ledger;
const archive = archiveOf(ledger);

/** On one thread and on several: the report is the same. */
async function auditArchive(file: string | Uint8Array, options: AuditOptions = {}): Promise<AuditReport> {
  const report = await audit(file, { ...options, threads: 0 });
  const { onProgress: _, ...rest } = options;
  const threaded = await audit(file, { ...rest, threads: 2, startThread: (ring) => turnsThread(ring) });
  if (JSON.stringify(threaded) !== JSON.stringify(report)) t.same(threaded, report, 'several threads say otherwise');
  return report;
}

const limits = { maxBlockBytes: 1 << 20, maxBlockTxs: 4096 };

t.test('an honest archive', async (t) => {
  const heights: number[] = [];
  const report = await auditArchive(archive, {
    genesis: genesis.bytes,
    onProgress: ({ height }) => heights.push(height),
  });
  const { header } = ledger.finalized;
  t.equal(report.error, undefined);
  t.match(report, {
    ok: true,
    chain: genesis.chain,
    genesisGiven: true,
    height: 6,
    blocks: 6,
    transactions: 8,
    refused: 1,
    epochs: 1,
    logSize: header.logSize,
    logRoot: header.logRoot,
    stateRoot: header.stateRoot,
    checkpoint: { size: header.logSize, cosigners: ['v01', 'v02', 'v04'] },
  });
  t.equal(report.records, header.logSize - 8);
  t.ok(heights.length > 2 && heights.at(-1) === 6, 'several runs');
  t.equal((await auditArchive(sealItems(itemsOf(archive)))).ok, true, 'the test tools change nothing by themselves');
  t.equal((await auditArchive(archiveOf(ledger, { runBytes: 1 }))).ok, true, 'other runs, same chain');
  const items = itemsOf(archive);
  items[items.length - 2]![1] = null;
  t.match(await auditArchive(sealItems(items)), { ok: true, checkpoint: undefined }, 'without a checkpoint');
  const kinds: string[] = [];
  for await (const { kind } of readArchive(inPieces(archive, 7))) kinds.push(kind);
  t.strictSame(
    [kinds[0], kinds[1], ...kinds.slice(-2)],
    ['genesis', 'run', 'checkpoint', 'index'],
    'pieces of any size',
  );
});

t.test('every flipped byte is seen', async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  t.comment(`seed ${seed}`);
  const random = Array.from({ length: 300 }, (_, i) => {
    const draw = createHash('sha256').update(`${seed} ${i}`).digest();
    return { at: draw.readUInt32BE(0) % archive.length, bit: draw[4]! % 8 };
  });
  const regular = Array.from({ length: Math.ceil(archive.length / 29) }, (_, i) => ({ at: 29 * i, bit: i % 8 }));
  for (const { at, bit } of [...random, ...regular]) {
    const flipped = archive.slice();
    flipped[at]! ^= 1 << bit;
    const { ok, error } = await auditArchive(flipped);
    if (ok || error?.code !== 'ARCHIVE_CORRUPT') t.fail(`byte ${at}: ${error?.code}`);
  }
  for (const cut of [0, 10, 63, 64, archive.length - 1])
    t.match(await auditArchive(archive.slice(0, cut)), { ok: false, error: { code: 'ARCHIVE_CORRUPT' } });
  t.match(await auditArchive(concat(archive, Uint8Array.of(0))), { ok: false });
});

/** Audits the archive after `change`, with its hash (and index offsets) put right. */
async function tampered(change: (items: Item[]) => Item[] | undefined, keepIndex = false) {
  const items = itemsOf(archive);
  return auditArchive(sealItems(change(items) ?? items, { keepIndex }));
}

const runsOf = (items: Item[]) => items.filter(([kind]) => kind === 2);

/** As if q validators lied together: block `height` changed, everything after it left out, finalized with real keys. */
async function conspired(
  height: number,
  change: (header: Header, envelopes: Uint8Array[]) => { header?: Partial<Header>; envelopes?: Uint8Array[] },
) {
  return tampered((items) => {
    const kept: Item[] = [items[0]!];
    const headers: Uint8Array[] = [];
    const bodies: Uint8Array[] = [];
    for (let each = 1; each < height; each += 1) {
      headers.push(ledger.block(each)!.headerBytes);
      bodies.push(ledger.body(each)!);
    }
    const { header } = ledger.block(height)!;
    const envelopes = decodeBody(ledger.body(height)!, limits);
    const changed = change(header, envelopes);
    const list = changed.envelopes ?? envelopes;
    const lie: Header = { ...header, txRoot: txRootOf(list.map(envelopeIdOf)), ...changed.header };
    headers.push(encodeHeader(lie));
    bodies.push(encodeBody(list));
    const certificate = encodeCertificate(finalizationOf(genesis, epoch, { blockId: blockIdOf(lie), header: lie }), 4);
    return [...kept, [2, headers, bodies, certificate], [3, null], [4, [[1, 0]], height, 0, 0]];
  });
}

t.test('changed, with the hash made right again', async (t) => {
  const wrong = async (
    name: string,
    code: string,
    where: RegExp,
    change: (items: Item[]) => Item[] | undefined,
    keepIndex = false,
  ) => {
    const { ok, error } = await tampered(change, keepIndex);
    t.notOk(ok, name);
    t.equal(error?.code, code, name);
    t.match(error?.where, where, name);
  };
  await wrong('a block is dropped', 'RUN_INVALID', /run/, (items) => {
    const run = runsOf(items).find(([, headers]) => headers.length > 1)!;
    run[1].splice(0, 1);
    run[2].splice(0, 1);
    return undefined;
  });
  await wrong('a run is dropped', 'RUN_INVALID', /run/, (items) => items.filter((item) => item !== runsOf(items)[1]));
  await wrong('runs change places', 'RUN_INVALID', /run/, (items) => [
    items[0]!,
    items[2]!,
    items[1]!,
    ...items.slice(3),
  ]);
  await wrong('the last block is dropped', 'INDEX_WRONG', /index/, (items) => {
    items.splice(items.length - 2, 1, [3, null]);
    return items.filter((item) => item !== runsOf(items).at(-1));
  });
  await wrong('two transactions change places', 'TX_ROOT_MISMATCH', /block 1/, (items) => {
    const [, , bodies] = runsOf(items)[0]!;
    bodies[0] = encodeBody(decodeBody(bodies[0], limits).reverse());
    return undefined;
  });
  await wrong('a transaction is left out', 'TX_ROOT_MISMATCH', /block 1/, (items) => {
    const [, , bodies] = runsOf(items)[0]!;
    bodies[0] = encodeBody(decodeBody(bodies[0], limits).slice(1));
    return undefined;
  });
  await wrong('a header is changed', 'RUN_INVALID', /run/, (items) => {
    const [, headers] = runsOf(items)[0]!;
    headers[headers.length - 1] = encodeHeader({
      ...decodeHeader(headers[headers.length - 1]),
      time: 1_763_712_999_999,
    });
    return undefined;
  });
  const lastOf = (run: Item) => ledger.block(decodeHeader(run[1].at(-1)).height)!;
  await wrong('a certificate with a forged signature', 'RUN_INVALID', /run/, (items) => {
    const run = runsOf(items)[1]!;
    run[3] = run[3].slice();
    run[3][run[3].length - 5] ^= 1;
    return undefined;
  });
  await wrong('a certificate with one signer twice', 'RUN_INVALID', /run/, (items) => {
    const run = runsOf(items)[0]!;
    const honest = finalizationOf(genesis, epoch, lastOf(run));
    const [a, b] = honest.signatures as [Uint8Array, Uint8Array];
    run[3] = encodeCertificate({ ...honest, signatures: [a, b, b] }, 4);
    return undefined;
  });
  await wrong('a certificate of fewer than q', 'RUN_INVALID', /run/, (items) => {
    const run = runsOf(items)[0]!;
    run[3] = encodeCertificate(finalizationOf(genesis, epoch, lastOf(run), { signers: [0, 1] }), 4);
    return undefined;
  });
  await wrong('a notarization in place of a finalization', 'RUN_INVALID', /run/, (items) => {
    const run = runsOf(items)[0]!;
    run[3] = encodeCertificate({ ...finalizationOf(genesis, epoch, lastOf(run)), kind: 'notarize' }, 4);
    return undefined;
  });
  await wrong('a finalization of another block', 'RUN_INVALID', /run/, (items) => {
    runsOf(items)[0]![3] = runsOf(items)[1]![3];
    return undefined;
  });
  await wrong('a foreign genesis', 'RUN_INVALID', /run/, (items) => {
    items[0] = [1, makeGenesis(4, { name: 'weft-other' }).genesis.bytes];
    return undefined;
  });
  await wrong('genesis in another spelling', 'GENESIS_INVALID', /genesis/, (items) => {
    items[0] = [1, makeGenesis(4).bytes];
    return undefined;
  });
  await wrong('a wrong count in the index', 'INDEX_WRONG', /index/, (items) => {
    items.at(-1)![3] += 1;
    return undefined;
  });
  await wrong(
    'a wrong offset in the index',
    'INDEX_WRONG',
    /index/,
    (items) => {
      items.at(-1)![1][0][1] += 1;
      return undefined;
    },
    true,
  );
  await wrong('items in another order', 'ARCHIVE_INVALID', /file/, (items) => [items.at(-1)!, ...items.slice(0, -1)]);
  await wrong('an unknown item', 'ARCHIVE_INVALID', /file/, (items) => [items[0]!, [9, null], ...items.slice(1)]);
  await wrong('no block at all', 'ARCHIVE_INVALID', /file/, (items) => [items[0]!, [3, null], [4, [], 0, 0, 0]]);
  await wrong('something behind the index', 'ARCHIVE_CORRUPT', /file/, (items) => [...items, [3, null]]);
});

t.test('lies that a quorum has signed: only the replay sees them', async (t) => {
  const seen = async (name: string, code: string, height: number, change: Parameters<typeof conspired>[1]) => {
    const { ok, error } = await conspired(height, change);
    t.notOk(ok, name);
    t.equal(error?.code, code, name);
    t.equal(error?.where, `block ${height}`, name);
  };
  const other = '22'.repeat(32);
  await seen('another state', 'STATE_ROOT_MISMATCH', 2, () => ({ header: { stateRoot: other } }));
  await seen('another log (a record changed, added or left out)', 'LOG_ROOT_MISMATCH', 2, () => ({
    header: { logRoot: other },
  }));
  await seen('a record more', 'LOG_SIZE_MISMATCH', 2, ({ logSize }) => ({ header: { logSize: logSize + 1 } }));
  await seen('another validator set', 'NEXT_VALIDATORS_MISMATCH', 2, () => ({ header: { nextValidators: other } }));
  await seen('a used transaction again', 'TX_DUPLICATE', 2, () => ({ envelopes: decodeBody(ledger.body(1)!, limits) }));
  await seen('transactions in another order', 'LOG_ROOT_MISMATCH', 2, (_, envelopes) => ({
    envelopes: [...envelopes].reverse(),
  }));
  await seen('an expired transaction', 'TX_EXPIRED', 2, () => ({ header: { time: 1_763_712_070_000 } }));
  await seen('a block that goes back in time', 'HEADER_TIME', 3, () => ({ header: { time: 1 } }));
  await seen('a proposer who does not lead', 'HEADER_PROPOSER', 2, ({ proposer }) => ({
    header: { proposer: (proposer + 1) % 4 },
  }));
  await seen('a forged signature in a transaction', 'SIGNATURE_INVALID', 2, (_, [first, ...rest]) => {
    const text = Buffer.from(first!).toString();
    const at = text.indexOf('"sig":"') + 9;
    return {
      envelopes: [
        new Uint8Array(Buffer.from(`${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`)),
        ...rest,
      ],
    };
  });
});

t.test('the checkpoint', async (t) => {
  const { header } = ledger.finalized;
  const wrong = async (code: string, options: Parameters<typeof checkpointOf>[1]) => {
    const report = await auditArchive(archiveOf(ledger, { checkpoint: checkpointOf(ledger, options) }));
    t.match(report, { ok: false, error: { code, where: 'checkpoint' } }, code);
  };
  await wrong('CHECKPOINT_ROOT', { root: '33'.repeat(32) });
  await wrong('CHECKPOINT_SIZE', { size: header.logSize - 1 });
  await wrong('CHECKPOINT_SIZE', { size: header.logSize + 1 });
  await wrong('CHECKPOINT_ORIGIN', { origin: 'weft-other-000000000000/weft' });
  await wrong('CHECKPOINT_UNSIGNED', { cosigners: [0, 1] });
  await wrong('CHECKPOINT_UNSIGNED', { cosigners: [0, 1, 1] });
  await wrong('CHECKPOINT_UNSIGNED', { logBy: 'stranger' });
  const older = ledger.block(4)!.header;
  t.equal(
    (
      await auditArchive(
        archiveOf(ledger, { checkpoint: checkpointOf(ledger, { size: older.logSize, root: older.logRoot }) }),
      )
    ).ok,
    true,
    'of an earlier block',
  );
});

t.test('a given genesis decides which network it is', async (t) => {
  const other = makeGenesis(4, { name: 'weft-other' });
  t.match(await auditArchive(archive, { genesis: other.bytes }), {
    ok: false,
    error: { code: 'GENESIS_OTHER', where: 'genesis' },
  });
  t.match(await auditArchive(archive), { ok: true, genesisGiven: false });
});

t.test('files: export, audit, compare', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-audit-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const path = (name: string) => join(dir, name);
  const exported = await exportArchive(ledger, path('a.weft'), { checkpoint: checkpointOf(ledger) });
  t.match(exported, { chain: genesis.chain, height: 6, checkpoint: true });
  t.equal(readFileSync(path('a.weft')).length, exported.bytes);
  t.match(await auditArchive(path('a.weft'), { genesis: genesis.bytes }), { ok: true, height: 6 });
  t.match(await exportArchive(ledger, path('b.weft'), { checkpoint: checkpointOf(ledger, { size: 2 }) }), {
    checkpoint: false,
  });
  writeFileSync(path('c.weft'), archiveOf(ledger, { runBytes: 1 }));
  t.strictSame(await compareChains({ path: path('a.weft') }, { path: path('c.weft') }), { common: 6, heights: [6, 6] });

  const twin = await Ledger.open({ dir: path('data'), genesis });
  for (let height = 1; height <= 4; height += 1)
    await twin.importRun(ledger.exportRun(twin.finalized.header.height + 1, 1)!);
  t.ok(twin.finalized.header.height >= 3);
  await twin.close();
  const folder = { path: path('data'), genesis: genesis.bytes };
  t.match(
    await compareChains({ path: path('a.weft') }, folder),
    { common: twin.finalized.header.height, heights: [6, twin.finalized.header.height], difference: undefined },
    'a beginning',
  );
  const again = await Ledger.open({ dir: path('data'), genesis });
  const forked = await addBlock(again, [packetsTx(genesis.chain, 'alice')], { time: again.finalized.header.time + 5 });
  await again.close();
  const found = await compareChains(folder, { path: path('a.weft') });
  if (forked.header.height <= 6)
    t.match(found, { common: forked.header.height - 1, difference: { height: forked.header.height, what: 'time' } });
  const stranger = await openInMemory(makeGenesis(4, { name: 'weft-other' }).genesis);
  await addBlock(stranger, []);
  await exportArchive(stranger, path('d.weft'));
  t.match(await compareChains({ path: path('a.weft') }, { path: path('d.weft') }), { difference: { what: 'genesis' } });
  await t.rejects(compareChains({ path: path('data') }, { path: path('a.weft') }), { code: 'COMPARE_GENESIS_NEEDED' });
  await t.rejects(exportArchive(await openInMemory(genesis), path('e.weft')), { code: 'ARCHIVE_EMPTY' });
});

t.test('what is too large is refused before it is unpacked', async (t) => {
  const bomb = sealRaw(zstdCompressSync(new Uint8Array(100 * 1024 * 1024)));
  t.ok(bomb.length < 100_000);
  t.match(await auditArchive(bomb), { error: { code: 'ARCHIVE_INVALID', where: 'file' } });
  const long = archive.slice(0, -32);
  new DataView(long.buffer).setUint32(16, 0xffff_ffff);
  t.match(await auditArchive(sealBytes(long)), { error: { code: 'ARCHIVE_INVALID', where: 'file' } });
});

t.test('the frozen archive still means what it meant', async (t) => {
  const folder = join(import.meta.dirname, '..', 'vectors', 'archive');
  const frozen = new Uint8Array(readFileSync(join(folder, 'chain.weft')));
  const expected = JSON.parse(readFileSync(join(folder, 'chain.json'), 'utf8')) as object;
  t.strictSame(JSON.parse(JSON.stringify(await auditArchive(frozen))), expected);
});
