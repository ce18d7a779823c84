import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { encodeCbor } from '../../src/codec/cbor.ts';
import { fromHex, toHex } from '../../src/codec/hex.ts';
import { sha256Hex } from '../../src/crypto/hash.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import {
  bytesOf,
  decodeManifest,
  encodeManifest,
  manifestId,
  type PartKind,
  partKinds,
} from '../../src/ledger/snapshotFormat.ts';
import { type FetchModules, fetchSnapshot } from '../../src/node/snapshotFetch.ts';
import { SnapshotRefusals } from '../../src/node/snapshotRefusals.ts';
import { decodeOffers, type SnapshotOffer, Snapshots } from '../../src/node/snapshots.ts';
import { checkpointOf } from '../ledger/checkpoints.ts';
import { addBlock, makeGenesis, openInMemory, registerTx } from '../ledger/fixtures.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const { genesis } = makeGenesis(4, { consensus: { maxTxLifetimeMs: 60_000 } });
const folder = mkdtempSync(join(tmpdir(), 'weft-snapshots-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

type Holder = { readonly ledger: Ledger; readonly snapshots: Snapshots; grow(blocks: number): Promise<void> };

/** A node that makes a snapshot every 50 blocks. */
async function holder(name: string, catchingUp = false): Promise<Holder> {
  const ledger = await openInMemory(genesis);
  let now = 0;
  const snapshots = new Snapshots(
    { folder: join(folder, name), everyBlocks: 50 },
    {
      ledger,
      checkpoint: () => checkpointOf(ledger),
      catchingUp: () => catchingUp,
      log: silent,
      monotonicMs: () => now,
      sleep: async (ms) => {
        now += ms;
      },
    },
  );
  const grow = async (blocks: number): Promise<void> => {
    for (let i = 0; i < blocks; i += 1) {
      const { height, time } = ledger.finalized.header;
      const expires = time + 50_000;
      const txs = height % 7 === 0 ? [registerTx(genesis.chain, `u${height}`, { expires, nonce: height })] : [];
      snapshots.committed([await addBlock(ledger, txs)]);
      // Made in the background, which has time here before the next block.
      if ((height + 1) % 50 === 0) await snapshots.idle();
    }
  };
  return { ledger, snapshots, grow };
}

t.test('a snapshot at every so many blocks, the newest two kept, also over a restart', async (t) => {
  const one = await holder('one');
  await one.grow(160);
  t.equal(one.snapshots.newest, 150);
  t.strictSame(readdirSync(join(folder, 'one')).sort(), ['100.snapshot', '150.snapshot']);
  const offers = decodeOffers(one.snapshots.offers());
  t.strictSame(
    offers.map(({ height }) => height),
    [150, 100],
  );
  const manifest = await one.snapshots.part('p', Buffer.from(offers[0]!.id, 'hex'));
  t.equal(decodeManifest(manifest!).height, 150);
  t.equal(await one.snapshots.part('p', new Uint8Array(32)), undefined);
  t.equal(await one.snapshots.part('p', new Uint8Array(3)), undefined);
  await one.snapshots.close();
  const again = new Snapshots({ folder: join(folder, 'one'), everyBlocks: 0 }, {
    log: silent,
  } as unknown as ConstructorParameters<typeof Snapshots>[1]);
  await again.open();
  t.equal(again.newest, 150);
  t.strictSame(decodeOffers(again.offers()), offers);
  await again.close();
  const busy = await holder('busy', true);
  await busy.grow(60);
  t.equal(busy.snapshots.newest, 0, 'a node that catches up makes none');
});

type Peer = {
  offers: () => SnapshotOffer[];
  part: (digest: Uint8Array) => Promise<Uint8Array | undefined>;
};

function honest({ snapshots }: Holder): Peer {
  return { offers: () => decodeOffers(snapshots.offers()), part: (digest) => snapshots.part('p', digest) };
}

function modulesFor(name: string, peers: Record<string, Peer>, more: Partial<FetchModules> = {}) {
  const blamed: string[] = [];
  const asked: Record<string, number> = {};
  const modules: FetchModules = {
    genesis,
    data: join(folder, name),
    folder: join(folder, name, 'snapshots'),
    askable: () => Object.keys(peers),
    offersOf: async (peer) => peers[peer]?.offers(),
    fetchPart: async (peer, digest) => {
      asked[peer] = (asked[peer] ?? 0) + 1;
      return peers[peer]?.part(digest);
    },
    height: () => 3,
    blame: (peer, code) => blamed.push(`${peer} ${code}`),
    stopped: () => false,
    log: silent,
    ...more,
  };
  return { modules, blamed, asked };
}

t.test('from peers of whom most lie, the honest one is found, and the store begins there', async (t) => {
  const source = await holder('source');
  await source.grow(130);
  const good = honest(source);
  const [offer] = good.offers();
  const manifestBytes = (await source.snapshots.part('p', Buffer.from(offer!.id, 'hex')))!;
  const manifest = decodeManifest(manifestBytes);
  const forged = encodeManifest({ ...manifest, height: 900_000, parts: manifest.parts.slice(0, -1) });
  const sizeOf = (bytes: Uint8Array): number => bytesOf(decodeManifest(bytes).parts) + bytes.length;
  const huge = encodeManifest({
    ...manifest,
    parts: manifest.parts.map((part) => ({ ...part, length: 2 * 1024 * 1024 })),
  });
  const serve = (bytes: Uint8Array, height: number, size: number): Peer => ({
    offers: () => [{ height, id: manifestId(bytes), bytes: size }],
    part: async (digest) => (toHex(digest) === manifestId(bytes) ? bytes : new Uint8Array(99)),
  });
  const { modules, blamed, asked } = modulesFor('load', {
    forger: serve(forged, 900_000, sizeOf(forged)),
    huge: serve(huge, offer!.height, 2),
    mute: { offers: () => [{ ...offer!, bytes: 3 }], part: async () => undefined },
    good,
  });
  const fetched = await fetchSnapshot(modules);
  t.equal(fetched?.height, 100);
  t.same(blamed.sort(), ['forger SNAPSHOT_WALK', 'huge SNAPSHOT_INVALID'], 'its size is a claim that is compared');
  t.ok((asked['mute'] ?? 0) <= 8, 'who says nothing is not asked for ever');
  const ledger = await Ledger.open({ dir: join(folder, 'load'), genesis });
  t.equal(ledger.finalized.header.height, 100);
  t.strictSame(ledger.finalized.header, source.ledger.block(100)!.header);
  await ledger.close();
  const mixed = modulesFor('mixed', { junk: serve(manifestBytes, offer!.height, offer!.bytes), good });
  t.equal((await fetchSnapshot(mixed.modules))?.height, 100);
  t.same(mixed.blamed, ['junk SNAPSHOT_PART'], 'it has the list of parts, and no parts');
  await source.snapshots.close();
});

/** An honest peer, and what a liar makes of its snapshot: more parts of its own. */
async function withLie(name: string, kind: PartKind, count: number, piece: (i: number) => Uint8Array, asLarge = true) {
  const source = await holder(name);
  await source.grow(60);
  const good = honest(source);
  const [offer] = good.offers();
  const manifest = decodeManifest((await good.part(fromHex(offer!.id, 32)))!);
  const more = Array.from({ length: count }, (_, i) => ({
    kind,
    digest: sha256Hex(piece(i)),
    length: piece(i).length,
  }));
  const parts = [...manifest.parts, ...more].sort((a, b) => a.kind - b.kind);
  const lie = encodeManifest({ ...manifest, parts });
  const served: number[] = [];
  const liar: Peer = {
    offers: () => [
      { height: offer!.height, id: manifestId(lie), bytes: asLarge ? bytesOf(parts) + lie.length : offer!.bytes - 1 },
    ],
    part: async (digest) => {
      if (toHex(digest) === manifestId(lie)) return lie;
      const i = more.findIndex((part) => part.digest === toHex(digest));
      if (i < 0) return good.part(digest);
      served.push(i);
      return piece(i);
    },
  };
  return { source, good, liar, served, offer: offer! };
}

t.test('a liar that calls a huge snapshot small stops nobody: its size is compared before room is made', async (t) => {
  const huge = () => new Uint8Array(2 * 1024 * 1024);
  const { source, good, liar } = await withLie('size', partKinds.state, 100, huge, false);
  const { modules, blamed } = modulesFor('sized', { liar, good }, { freeBytes: async () => 100 * 1024 * 1024 });
  t.equal((await fetchSnapshot(modules))?.height, 50);
  t.same(blamed, ['liar SNAPSHOT_INVALID']);
  await source.snapshots.close();
});

t.test('one that says how huge it is has no more room, and the others are asked all the same', async (t) => {
  const huge = () => new Uint8Array(2 * 1024 * 1024);
  const { source, good, liar } = await withLie('honestly', partKinds.state, 100, huge);
  const seen: string[] = [];
  const log = { ...silent, warn: (details: object) => seen.push((details as { code: string }).code) };
  const room = async () => 100 * 1024 * 1024;
  // Two who say the same come first.
  const { modules } = modulesFor('roomy', { liar, accomplice: liar, good }, { freeBytes: room, log });
  t.equal((await fetchSnapshot(modules))?.height, 50);
  t.same(seen, ['SNAPSHOT_NO_ROOM', 'SNAPSHOT_NO_ROOM']);
  const alone = modulesFor('alone', { liar }, { freeBytes: room, log });
  await t.rejects(fetchSnapshot(alone.modules), { code: 'SNAPSHOT_NO_ROOM' });
  t.notOk(
    existsSync(join(folder, 'alone', 'snapshots', `incoming-${liar.offers()[0]!.id.slice(0, 16)}.snapshot.part`)),
  );
  await source.snapshots.close();
});

t.test('a walk is refused at its first wrong step, before more of it is fetched or any of it kept', async (t) => {
  const junk = (i: number) => encodeCbor([[new Uint8Array(100), new Uint8Array(100), new Uint8Array([i])]]);
  const { source, good, liar, served } = await withLie('walk', partKinds.walk, 50, junk);
  let kept = 0;
  const watched: Peer = {
    ...liar,
    part: async (digest) => {
      const names = existsSync(join(folder, 'walked', 'snapshots'))
        ? readdirSync(join(folder, 'walked', 'snapshots'))
        : [];
      for (const name of names) kept = Math.max(kept, statSync(join(folder, 'walked', 'snapshots', name)).size);
      return liar.part(digest);
    },
  };
  const alone = modulesFor('walked', { watched });
  t.equal(await fetchSnapshot(alone.modules), undefined);
  t.same(alone.blamed, ['watched SNAPSHOT_WALK']);
  t.equal(served.length, 1, 'step by step');
  t.ok(kept < 100, `${kept} bytes were kept of what is not proven`);
  t.equal((await fetchSnapshot(modulesFor('walked', { liar, good }).modules))?.height, 50);
  const long = (i: number) => new Uint8Array(2 * 1024 * 1024).fill(i);
  const endless = await withLie('endless', partKinds.walk, 40, long);
  const bounded = modulesFor('bounded', { liar: endless.liar });
  t.equal(await fetchSnapshot(bounded.modules), undefined);
  t.same(bounded.blamed, ['liar SNAPSHOT_TOO_LARGE']);
  t.equal(endless.served.length, 0);
  await endless.source.snapshots.close();
  await source.snapshots.close();
});

t.test('whoever lied is passed over in later attempts too, and longer each time', async (t) => {
  const { source, liar, served } = await withLie('again', partKinds.walk, 1, () => encodeCbor([1]));
  let now = 0;
  const refusals = new SnapshotRefusals();
  const attempt = async (): Promise<void> => {
    await fetchSnapshot(modulesFor('again', { liar }, { refusals, monotonicMs: () => now }).modules);
  };
  const triesIn = async (ms: number): Promise<number> => {
    const before = served.length;
    for (const endMs = now + ms; now < endMs; now += 10_000) await attempt();
    return served.length - before;
  };
  t.equal(await triesIn(60_000), 1);
  t.equal(await triesIn(180_000), 2, 'after one minute, and two more');
  t.ok((await triesIn(3_600_000)) <= 5);
  await source.snapshots.close();
});

t.test('a liar that brings parts now and then is left for another, and what it brought is kept', async (t) => {
  const { source, good, liar } = await withLie('slower', partKinds.state, 200, (i) =>
    encodeCbor([[`zz/z/${i}`, new Uint8Array(9)]]),
  );
  let now = 0;
  let brought = 0;
  const slow: Peer = {
    ...liar,
    part: async (digest) => {
      now += 9000;
      brought += 1;
      return liar.part(digest);
    },
  };
  const refusals = new SnapshotRefusals();
  const first = modulesFor('paced', { slow }, { refusals, monotonicMs: () => now });
  t.equal(await fetchSnapshot(first.modules), undefined);
  t.ok(brought < 30, `${brought} parts in ${now} ms`);
  t.same(first.blamed, [], 'a slow line is no lie');
  t.equal(refusals.slowness('slow'), 1);
  const before = brought;
  const second = modulesFor('paced', { slow, good }, { refusals, monotonicMs: () => now });
  t.equal((await fetchSnapshot(second.modules))?.height, 50);
  t.equal(brought, before, 'others go first now');
  await source.snapshots.close();
});

t.test('a download goes on where it was broken off, from another peer that has the same parts', async (t) => {
  const source = await holder('resume');
  await source.grow(110);
  const good = honest(source);
  let left = 2;
  const { modules: first } = modulesFor('resumed', {
    a: { ...good, part: async (digest) => (left-- > 0 ? good.part(digest) : undefined) },
  });
  t.equal(await fetchSnapshot(first), undefined);
  const draft = readdirSync(join(folder, 'resumed', 'snapshots')).filter((name) => name.endsWith('.part'));
  t.equal(draft.length, 1, 'what arrived is kept');
  const { modules: second, asked } = modulesFor('resumed', { b: good });
  t.equal((await fetchSnapshot(second))?.height, 100);
  const parts = decodeManifest((await good.part(Buffer.from(good.offers()[0]!.id, 'hex')))!).parts.length;
  t.equal(asked['b'], parts, 'the manifest, and all parts but the one that was here');
  const later = join(folder, 'resumed', 'snapshots');
  writeFileSync(join(later, 'incoming-0123456789abcdef.snapshot.part'), 'of an offer that is gone');
  await fetchSnapshot(modulesFor('resumed', { b: good }).modules);
  t.same(
    readdirSync(later).filter((name) => name.endsWith('.part')),
    [],
  );
  await source.snapshots.close();
});

t.test('nothing that helps, no room, told to stop: nothing is exchanged', async (t) => {
  const source = await holder('stop');
  await source.grow(60);
  const good = honest(source);
  t.equal(await fetchSnapshot(modulesFor('none', { good }, { height: () => 50 }).modules), undefined);
  await t.rejects(fetchSnapshot(modulesFor('room', { good }, { freeBytes: async () => 1000 }).modules), {
    code: 'SNAPSHOT_NO_ROOM',
  });
  let calls = 0;
  const stopping = modulesFor(
    'stopped',
    { good },
    {
      stopped: () => {
        calls += 1;
        return calls > 6;
      },
    },
  );
  t.equal(await fetchSnapshot(stopping.modules), undefined);
  t.notOk(existsSync(join(folder, 'stopped', 'store-incoming.ready')));
  t.same(stopping.blamed, [], 'nobody is to blame for that');
  t.throws(() => decodeOffers(encodeCbor([[1, new Uint8Array(3), 4]])), { code: 'MESSAGE_MALFORMED' });
  await source.snapshots.close();
});
