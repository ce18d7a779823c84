import fc from 'fast-check';
import { MerkleTree } from 'merkletreejs';
import t from 'tap';
import { toHex } from '../../src/codec/hex.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { Frontier, levelsOf } from '../../src/log/frontier.ts';
import {
  type NodeReader,
  proofHashesMax,
  rootFromNodes,
  verifyConsistency,
  verifyInclusion,
} from '../../src/log/proofs.ts';
import { hasher, SampleLog, sampleEntry } from './sample.ts';

const leafHashes = (size: number) => Array.from({ length: size }, (_, n) => hasher.leafHash(sampleEntry(n)));

/** Independent of src/log: merkletreejs hashes pairs with our prefixes and lifts a lonely last node, which is RFC 6962. */
function oracleRoot(leaves: readonly Uint8Array[]): string {
  const pair = (bytes: Buffer): Buffer => Buffer.from(sha256(Buffer.concat([Buffer.of(1), bytes])));
  return new MerkleTree(
    leaves.map((leaf) => Buffer.from(leaf)),
    pair,
    { hashLeaves: false },
  )
    .getHexRoot()
    .slice(2);
}

t.test('roots agree with merkletreejs, across tile borders up to 70,000 leaves', async (t) => {
  const all = leafHashes(70_000);
  const log = SampleLog.ofSize(70_000);
  let frontier = Frontier.empty(hasher);
  const sizes = new Set([
    1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 33, 127, 255, 256, 257, 511, 512, 513, 1000, 65_535, 65_536, 65_537, 70_000,
  ]);
  for (const [position, leaf] of all.entries()) {
    frontier = frontier.append(leaf);
    const size = position + 1;
    if (!sizes.has(size)) continue;
    const root = oracleRoot(all.slice(0, size));
    t.equal(toHex(frontier.root()), root, `frontier of ${size}`);
    t.equal(toHex(log.root(size)), root, `tiles of ${size}`);
  }
});

t.test('a frontier is a value: branches share it and do not disturb it', async (t) => {
  const leaves = leafHashes(300);
  const base = Frontier.empty(hasher).appendAll(leaves.slice(0, 200));
  const before = toHex(base.root());
  const left = base.appendAll(leaves.slice(200, 230));
  const right = base.append(leaves[299]!);
  t.equal(toHex(base.root()), before);
  t.equal(toHex(left.root()), oracleRoot(leaves.slice(0, 230)));
  t.equal(toHex(right.root()), oracleRoot([...leaves.slice(0, 200), leaves[299]!]));
  t.equal(base.size, 200);
});

t.test('a frontier continues from its hashes, and from nothing that does not fit', async (t) => {
  const leaves = leafHashes(100);
  for (const size of [0, 1, 7, 64, 99]) {
    const grown = Frontier.empty(hasher).appendAll(leaves.slice(0, size));
    const restored = Frontier.from(hasher, size, grown.hashes());
    t.equal(toHex(restored.append(leaves[99]!).root()), toHex(grown.append(leaves[99]!).root()));
  }
  t.throws(() => Frontier.from(hasher, 3, [leaves[0]!]), { code: 'LOG_FRONTIER_INVALID' });
  t.throws(() => Frontier.from(hasher, 1, [new Uint8Array(31)]), { code: 'LOG_FRONTIER_INVALID' });
  t.same(
    levelsOf(2 ** 53 - 1),
    Array.from({ length: 53 }, (_, i) => 52 - i),
    'sizes beyond 32 bits',
  );
});

t.test('proofs of random trees hold, and no other', async () => {
  const log = SampleLog.ofSize(700);
  const sizes = fc.integer({ min: 1, max: 700 });
  fc.assert(
    fc.property(sizes, fc.nat(), fc.nat(), (size, pickIndex, pickOld) => {
      const index = pickIndex % size;
      const oldSize = 1 + (pickOld % size);
      const root = log.root(size);
      const inclusion = {
        index,
        size,
        leafHash: hasher.leafHash(sampleEntry(index)),
        hashes: log.inclusion(index, size),
        root,
      };
      const consistency = {
        oldSize,
        oldRoot: log.root(oldSize),
        newSize: size,
        newRoot: root,
        hashes: log.consistency(oldSize, size),
      };
      return verifyInclusion(hasher, inclusion) && verifyConsistency(hasher, consistency);
    }),
    { numRuns: 200 },
  );
});

t.test('a changed proof is refused', async () => {
  const log = SampleLog.ofSize(300);
  const flip = (hash: Uint8Array): Uint8Array => hash.map((byte, i) => (i === 17 ? byte ^ 4 : byte));
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 300 }), fc.nat(), fc.nat(), (size, pickIndex, pickOld) => {
      const index = pickIndex % size;
      const root = log.root(size);
      const hashes = log.inclusion(index, size);
      const good = { index, size, leafHash: hasher.leafHash(sampleEntry(index)), hashes, root };
      const oldSize = 1 + (pickOld % (size - 1));
      const steps = log.consistency(oldSize, size);
      const grown = { oldSize, oldRoot: log.root(oldSize), newSize: size, newRoot: root, hashes: steps };
      const badInclusions = [
        { ...good, index: (index + 1) % size },
        { ...good, size: 2 * size + 1 },
        { ...good, leafHash: flip(good.leafHash) },
        { ...good, root: flip(root) },
        { ...good, hashes: hashes.slice(1) },
        { ...good, hashes: hashes.slice(0, -1) },
        { ...good, hashes: [...hashes, root] },
        { ...good, hashes: [good.leafHash, ...hashes] },
        { ...good, hashes: hashes.map((hash, i) => (i === pickOld % hashes.length ? flip(hash) : hash)) },
        { ...good, hashes: hashes.map((hash, i) => (i === 0 ? hash.subarray(1) : hash)) },
        { ...good, index: -1 },
        { ...good, index: size },
        { ...good, index: index + 0.5 },
        { ...good, size: Number.NaN },
        { ...good, leafHash: new Uint8Array(31) },
      ];
      const badConsistencies = [
        { ...grown, oldSize: 0 },
        { ...grown, oldSize: size + 1 },
        { ...grown, oldRoot: flip(grown.oldRoot) },
        { ...grown, newRoot: flip(root) },
        { ...grown, hashes: [] },
        { ...grown, hashes: steps.slice(1) },
        { ...grown, hashes: [...steps, root] },
        { ...grown, hashes: steps.map((hash, i) => (i === pickIndex % steps.length ? flip(hash) : hash)) },
        { ...grown, newSize: oldSize, hashes: steps },
      ];
      return (
        verifyInclusion(hasher, good) &&
        verifyConsistency(hasher, grown) &&
        !badInclusions.some((bad) => verifyInclusion(hasher, bad)) &&
        !badConsistencies.some((bad) => verifyConsistency(hasher, bad))
      );
    }),
    { numRuns: 60 },
  );
});

t.test('proofs work at sizes beyond 2^32', async (t) => {
  // Every leaf the same: then the hash of a perfect subtree depends on its level alone, and no tree need be stored.
  const perfect: Uint8Array[] = [hasher.leafHash(sampleEntry(0))];
  for (let level = 1; level <= 53; level += 1) perfect.push(hasher.nodeHash(perfect[level - 1]!, perfect[level - 1]!));
  const read: NodeReader = (level) => perfect[level]!;
  const { inclusionProof, consistencyProof } = await import('../../src/log/proofs.ts');
  for (const size of [2 ** 32 + 1, 2 ** 40 + 12_345, 2 ** 53 - 1]) {
    const root = rootFromNodes(hasher, read, size);
    for (const index of [0, 2 ** 31, 2 ** 32, size - 1]) {
      const hashes = inclusionProof(hasher, read, index, size);
      t.ok(hashes.length <= proofHashesMax);
      t.ok(verifyInclusion(hasher, { index, size, leafHash: perfect[0]!, hashes, root }), `leaf ${index} of ${size}`);
    }
    for (const oldSize of [1, 2 ** 32, 2 ** 32 - 1, size]) {
      const hashes = consistencyProof(hasher, read, oldSize, size);
      const oldRoot = rootFromNodes(hasher, read, oldSize);
      t.ok(
        verifyConsistency(hasher, { oldSize, oldRoot, newSize: size, newRoot: root, hashes }),
        `${oldSize} to ${size}`,
      );
    }
  }
});

t.test('no proof is made of what is not there', async (t) => {
  const log = SampleLog.ofSize(10);
  t.throws(() => log.inclusion(10), { code: 'LOG_INDEX_OUT_OF_RANGE' });
  t.throws(() => log.inclusion(-1), { code: 'LOG_INDEX_OUT_OF_RANGE' });
  t.throws(() => log.consistency(0), { code: 'LOG_INDEX_OUT_OF_RANGE' });
  t.throws(() => log.consistency(11), { code: 'LOG_INDEX_OUT_OF_RANGE' });
  t.throws(() => log.inclusion(3, 12), { code: 'LOG_TILE_MISSING' });
  t.same(log.inclusion(0, 1), []);
});
