import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { encodeCbor } from '../../src/codec/cbor.ts';
import { toHex } from '../../src/codec/hex.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { decodeManifest, encodeManifest, manifestId } from '../../src/ledger/snapshotFormat.ts';
import { type FetchModules, fetchSnapshot } from '../../src/node/snapshotFetch.ts';
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
  const forged = encodeManifest({ ...manifest, height: 900_000 });
  const huge = encodeManifest({
    ...manifest,
    parts: manifest.parts.map((part) => ({ ...part, length: 2 * 1024 * 1024 })),
  });
  const serve = (bytes: Uint8Array, height: number, size: number): Peer => ({
    offers: () => [{ height, id: manifestId(bytes), bytes: size }],
    part: async (digest) => (toHex(digest) === manifestId(bytes) ? bytes : new Uint8Array(99)),
  });
  const { modules, blamed, asked } = modulesFor('load', {
    forger: serve(forged, 900_000, 0),
    junk: serve(manifestBytes, offer!.height, 1),
    huge: serve(huge, offer!.height, 2),
    mute: { offers: () => [{ ...offer!, bytes: 3 }], part: async () => undefined },
    good,
  });
  const fetched = await fetchSnapshot(modules);
  t.equal(fetched?.height, 100);
  t.same(blamed.sort(), ['forger SNAPSHOT_WALK', 'huge SNAPSHOT_PART', 'junk SNAPSHOT_PART']);
  t.ok((asked['mute'] ?? 0) <= 8, 'who says nothing is not asked for ever');
  const ledger = await Ledger.open({ dir: join(folder, 'load'), genesis });
  t.equal(ledger.finalized.header.height, 100);
  t.strictSame(ledger.finalized.header, source.ledger.block(100)!.header);
  await ledger.close();
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
