import t from 'tap';
import { toHex } from '../../src/codec/hex.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { createTreeHasher } from '../../src/log/hasher.ts';
import { InnerNodes } from '../../src/log/innerNodes.ts';
import { inclusionProof } from '../../src/log/proofs.ts';
import { storeNodeReader, type TileStore } from '../../src/log/tiles.ts';
import { hasher, SampleLog, sampleEntry } from './sample.ts';

/** A hasher that counts. */
function counting(): { readonly hasher: typeof hasher; readonly hashes: () => number } {
  let count = 0;
  const counted = createTreeHasher((bytes) => {
    count += 1;
    return sha256(bytes);
  });
  return { hasher: counted, hashes: () => count };
}

t.test('proofs from kept nodes are the proofs, at every size that the log has had', async (t) => {
  const sizes = [1, 7, 8, 255, 256, 257, 511, 700, 65_536, 66_100];
  const inner = new InnerNodes(hasher);
  for (const size of sizes) {
    const log = SampleLog.ofSize(size);
    // One keeper for all of them: what was complete when the log was smaller is so still.
    for (const earlier of [size, size - 1, Math.ceil(size / 2)].filter((each) => each > 0)) {
      const nodes = storeNodeReader(hasher, log.store, earlier, inner);
      for (const index of [0, 1, 255, 256, earlier >> 1, earlier - 1].filter((each) => each < earlier)) {
        t.same(
          inclusionProof(hasher, nodes, index, earlier).map(toHex),
          log.inclusion(index, earlier).map(toHex),
          `${index} of ${earlier}`,
        );
      }
    }
  }
});

t.test('of the tiles above the leaves, and of the right edge, a second proof hashes next to nothing', async (t) => {
  const log = SampleLog.ofSize(66_047);
  const { hasher: counted, hashes } = counting();
  const inner = new InnerNodes(counted);
  const prove = (index: number): number => {
    const before = hashes();
    inclusionProof(counted, storeNodeReader(counted, log.store, log.size, inner), index, log.size);
    return hashes() - before;
  };
  const first = prove(1000);
  const second = prove(40_000);
  t.ok(first > 700, `${first} hashes at first`);
  t.ok(second < 247 + 40, `${second} hashes, 247 of them in the tile of the leaf itself`);
});

t.test('it asks no database for the unfinished tile', async (t) => {
  const log = SampleLog.ofSize(1000);
  const asked: string[] = [];
  const store: TileStore = {
    full: (level, n) => {
      asked.push(`${level}/${n}`);
      return log.store.full(level, n);
    },
    unfinished: log.store.unfinished,
  };
  inclusionProof(hasher, storeNodeReader(hasher, store, log.size, new InnerNodes(hasher)), 300, log.size);
  t.same(asked, ['0/1'], 'level 1 and the last tile are in memory');
});

t.test('what it keeps is bounded, and what was let go is computed again', async (t) => {
  const { hasher: counted, hashes } = counting();
  const inner = new InnerNodes(counted);
  const tile = new Uint8Array(8192);
  for (let i = 0; i < 256; i += 1) tile.set(counted.leafHash(sampleEntry(i)), 32 * i);
  const cost = (n: number): number => {
    const before = hashes();
    inner.root(1, n, tile, 0, 128);
    return hashes() - before;
  };
  t.equal(cost(0), 127);
  t.equal(cost(0), 0);
  for (let n = 1; n < 256; n += 1) cost(n);
  t.equal(cost(0), 0, 'the newest 256 are kept; asked for again, this one is the newest');
  cost(256);
  t.equal(cost(1), 127, 'who was not asked for the longest has gone');
  t.equal(cost(0), 0);
});

t.test('whoever gets a hash may write to it', async (t) => {
  const log = SampleLog.ofSize(400);
  const inner = new InnerNodes(hasher);
  const tile = log.store.full(0, 0) ?? new Uint8Array();
  const root = toHex(inner.root(1, 0, tile, 0, 64));
  for (let i = 0; i < 2; i += 1) {
    const hash = inner.root(1, 0, tile, 0, 64);
    t.equal(toHex(hash), root);
    hash.fill(0);
  }
});
