import fc from 'fast-check';
import t from 'tap';
import { toHex } from '../../src/codec/hex.ts';
import { equalBytes } from '../../src/codec/utf8.ts';
import { bundleBytesMax, decodeBundle, encodeBundle, entryBytesMax } from '../../src/log/bundles.ts';
import { Frontier } from '../../src/log/frontier.ts';
import {
  formatBundlePath,
  formatTilePath,
  frontierFromNodes,
  parseTilePath,
  readTile,
  storeNodeReader,
  TileWriter,
  tileHeight,
  tilesOfSize,
} from '../../src/log/tiles.ts';
import { hasher, SampleLog, sampleEntry } from './sample.ts';

t.test('paths, as C2SP tlog-tiles spells them', async (t) => {
  t.equal(formatTilePath({ level: 0, n: 1_234_067, width: 256 }), 'tile/0/x001/x234/067');
  t.equal(formatTilePath({ level: 1, n: 0, width: 17 }), 'tile/1/000.p/17');
  t.equal(formatBundlePath(1000, 256), 'tile/entries/x001/000');
  t.same(parseTilePath('tile/0/x001/x234/067'), { kind: 'tile', level: 0, n: 1_234_067, width: 256 });
  t.same(parseTilePath('tile/entries/x001/x234/067.p/8'), { kind: 'entries', n: 1_234_067, width: 8 });
  t.same(parseTilePath('tile/63/000'), { kind: 'tile', level: 63, n: 0, width: 256 });
  for (const path of [
    '',
    'tile',
    '/tile/0/000',
    'tile/0/0',
    'tile/0/00',
    'tile/0/0000',
    'tile/00/000',
    'tile/64/000',
    'tile/-1/000',
    'tile/0/x000/000',
    'tile/0/001/002',
    'tile/0/x001/x002',
    'tile/0/000.p/0',
    'tile/0/000.p/01',
    'tile/0/000.p/256',
    'tile/0/000.p/',
    'tile/0/000.p/1/',
    'tile/0/000\n',
    'tile/8/0/000',
    'tile/data/000',
    'tile/entries/000.p/999',
    'tile/0/x999/x999/x999/x999/x999/x999/999',
    'tile/0/../000',
    `tile/0/${'x001/'.repeat(50)}001`,
  ]) {
    t.equal(parseTilePath(path), undefined, path);
  }
});

t.test('any path reads back', async () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 63 }),
      fc.maxSafeNat(),
      fc.integer({ min: 1, max: 256 }),
      (level, n, width) => {
        const tile = parseTilePath(formatTilePath({ level, n, width }));
        const entries = parseTilePath(formatBundlePath(n, width));
        return (
          tile?.kind === 'tile' &&
          tile.level === level &&
          tile.n === n &&
          tile.width === width &&
          entries?.kind === 'entries' &&
          entries.n === n &&
          entries.width === width
        );
      },
    ),
  );
});

t.test('a tree of 70,000 has the tiles that the specification counts', async (t) => {
  const tiles = [...tilesOfSize(70_000)];
  t.equal(tiles.filter(({ level, width }) => level === 0 && width === 256).length, 273);
  t.match(
    tiles.find(({ level, width }) => level === 0 && width < 256),
    { n: 273, width: 112 },
  );
  t.same(
    tiles.filter(({ level }) => level > 0),
    [
      { level: 1, n: 0, width: 256 },
      { level: 1, n: 1, width: 17 },
      { level: 2, n: 0, width: 1 },
    ],
  );
  t.same(
    [...tilesOfSize(256)],
    [
      { level: 0, n: 0, width: 256 },
      { level: 1, n: 0, width: 1 },
    ],
  );
  t.same([...tilesOfSize(0)], []);
});

t.test(
  'every partial tile of every smaller size can be cut, with the same bytes before and after its tile is full',
  async (t) => {
    const late = SampleLog.ofSize(600);
    for (const size of [1, 5, 255, 256, 257, 300, 512, 600]) {
      const early = SampleLog.ofSize(size);
      for (const id of tilesOfSize(size)) {
        const bytes = readTile(early.store, id);
        t.equal(bytes?.length, id.width * 32);
        t.same(readTile(late.store, id), bytes, `${formatTilePath(id)} of ${size}`);
      }
    }
    t.equal(readTile(late.store, { level: 0, n: 2, width: 89 }), undefined, 'not more than there is');
    t.equal(readTile(late.store, { level: 0, n: 3, width: 1 }), undefined);
  },
);

t.test('what a writer shows of its unfinished tiles stays as it is while the log grows', async (t) => {
  const hashes = Array.from({ length: 70_000 }, (_, i) => hasher.leafHash(sampleEntry(i)));
  const writer = new TileWriter(hasher);
  const shown: { at: number; bytes: Uint8Array; copy: Uint8Array }[] = [];
  const tiles: { bytes: Uint8Array; copy: Uint8Array }[] = [];
  for (let at = 0; at < hashes.length; at += 1000) {
    for (const { bytes } of writer.append(hashes.slice(at, at + 1000))) tiles.push({ bytes, copy: bytes.slice() });
    for (const level of [0, 1]) {
      const { bytes } = writer.unfinished(level);
      shown.push({ at, bytes, copy: bytes.slice() });
    }
  }
  t.same(
    shown.filter(({ bytes, copy }) => !equalBytes(bytes, copy)).map(({ at }) => at),
    [],
  );
  t.equal(tiles.length, 273 + 1);
  t.ok(tiles.every(({ bytes, copy }) => equalBytes(bytes, copy)));
});

t.test('a writer that is given the roots of its tiles makes the tiles that it would have made', async (t) => {
  const hashes = Array.from({ length: 70_000 }, (_, i) => hasher.leafHash(sampleEntry(i)));
  const [alone, told] = [new TileWriter(hasher), new TileWriter(hasher)];
  let frontier = Frontier.empty(hasher);
  let given = 0;
  for (let at = 0; at < hashes.length; at += 700) {
    const run = hashes.slice(at, at + 700);
    const roots: Uint8Array[] = [];
    frontier = frontier.appendAll(run, tileHeight, (root) => roots.push(root));
    given += roots.length;
    t.same(told.append(run, roots), alone.append(run), `from ${at}`);
  }
  t.equal(given, 273);
  for (const level of [0, 1, 2]) t.same(told.unfinished(level), alone.unfinished(level));
});

t.test('a writer restored from the store goes on as if it had never stopped', async (t) => {
  for (const size of [0, 1, 255, 256, 300, 66_000]) {
    const before = SampleLog.ofSize(size);
    const restored = TileWriter.restore(hasher, size, before.store.unfinished(0).bytes, before.store.full);
    const more = Array.from({ length: 600 }, (_, i) => hasher.leafHash(sampleEntry(size + i)));
    const steady = new TileWriter(hasher);
    const kept = steady.append(before.entries.map(hasher.leafHash));
    const expected = steady.append(more);
    t.same(restored.append(more), expected, `tiles completed after ${size}`);
    for (const level of [0, 1, 2]) t.same(restored.unfinished(level), steady.unfinished(level));
    const frontier = frontierFromNodes(hasher, storeNodeReader(hasher, before.store, size), size);
    t.equal(
      toHex(frontier.root()),
      toHex(Frontier.empty(hasher).appendAll(before.entries.map(hasher.leafHash)).root()),
    );
    if (kept.length > 0) {
      t.throws(() => TileWriter.restore(hasher, size, before.store.unfinished(0).bytes, () => undefined), {
        code: 'LOG_TILE_MISSING',
      });
    }
  }
  t.throws(() => TileWriter.restore(hasher, 3, new Uint8Array(64), () => undefined), { code: 'LOG_TILE_MISSING' });
});

t.test('bundles hold their entries exactly', async (t) => {
  const entry = fc.uint8Array({ maxLength: 400 });
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1, maxLength: 20 }), (entries) => {
      const decoded = decodeBundle(encodeBundle(entries), entries.length);
      return decoded.length === entries.length && decoded.every((bytes, i) => toHex(bytes) === toHex(entries[i]!));
    }),
  );
  const largest = new Uint8Array(entryBytesMax).fill(7);
  t.same(decodeBundle(encodeBundle([largest]), 1), [largest]);
  t.throws(() => encodeBundle([new Uint8Array(entryBytesMax + 1)]), { code: 'LOG_ENTRY_TOO_LARGE' });
  t.throws(() => encodeBundle([]), { code: 'LOG_BUNDLE_INVALID' });
  t.throws(() => encodeBundle(Array.from({ length: 257 }, () => new Uint8Array(1))), { code: 'LOG_BUNDLE_INVALID' });
  const bytes = encodeBundle([Uint8Array.of(1, 2), Uint8Array.of()]);
  t.same([...bytes], [0, 2, 1, 2, 0, 0]);
  for (const [bad, width] of [
    [bytes, 1],
    [bytes, 3],
    [bytes, 0],
    [bytes, 257],
    [bytes.subarray(0, 5), 2],
    [bytes.subarray(0, 3), 1],
    [new Uint8Array(0), 1],
  ] as const) {
    t.throws(() => decodeBundle(bad, width), { code: 'LOG_BUNDLE_INVALID' });
  }
  t.equal(bundleBytesMax, 256 * 65_537);
});
