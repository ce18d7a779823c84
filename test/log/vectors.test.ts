import { readFileSync } from 'node:fs';
import t from 'tap';
import { fromHex, toHex } from '../../src/codec/hex.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { verifyConsensus } from '../../src/crypto/ed25519.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { decodeBundle } from '../../src/log/bundles.ts';
import { parseCheckpoint, verifyLogSignature } from '../../src/log/checkpoint.ts';
import { checkpointTime, verifyCosignature } from '../../src/log/cosignature.ts';
import { Frontier } from '../../src/log/frontier.ts';
import { parseNote } from '../../src/log/note.ts';
import {
  consistencyProof,
  inclusionProof,
  type NodeReader,
  verifyConsistency,
  verifyInclusion,
} from '../../src/log/proofs.ts';
import { stateProofFromJson, verifyStateProof } from '../../src/log/stateProof.ts';
import { stateKey } from '../../src/log/stateTree.ts';
import { parseTlogProof } from '../../src/log/tlogProof.ts';
import { parseVkey } from '../../src/log/vkey.ts';
import { logVectorsUrl, makeLogVectors, makeStateVectors, stateVectorsUrl } from './makeVectors.ts';
import { hasher, sampleEntry } from './sample.ts';

const read = (url: URL) => JSON.parse(readFileSync(url, 'utf8'));
const rfc = read(new URL('../vectors/log/rfc6962.json', import.meta.url));
const log = read(logVectorsUrl);
const state = read(stateVectorsUrl);
const hashes = (list: readonly string[]) => list.map((text) => fromHex(text, 32));

t.test('RFC 6962: the tree of Certificate Transparency', async (t) => {
  const leaves: Uint8Array[] = rfc.leaves.map((leaf: string) => hasher.leafHash(fromHex(leaf)));
  for (const [size, root] of rfc.roots.entries()) {
    t.equal(toHex(Frontier.empty(hasher).appendAll(leaves.slice(0, size)).root()), root, `size ${size}`);
  }
  const nodes: NodeReader = (level, index) =>
    level === 0 ? leaves[index]! : hasher.nodeHash(nodes(level - 1, 2 * index), nodes(level - 1, 2 * index + 1));
  for (const { index, size, hashes: expected } of rfc.inclusion) {
    t.same(inclusionProof(hasher, nodes, index, size).map(toHex), expected);
    const root = fromHex(rfc.roots[size]);
    t.ok(verifyInclusion(hasher, { index, size, leafHash: leaves[index]!, hashes: hashes(expected), root }));
  }
  for (const { oldSize, newSize, hashes: expected } of rfc.consistency) {
    t.same(consistencyProof(hasher, nodes, oldSize, newSize).map(toHex), expected);
    const [oldRoot, newRoot] = [fromHex(rfc.roots[oldSize]), fromHex(rfc.roots[newSize])];
    t.ok(verifyConsistency(hasher, { oldSize, oldRoot, newSize, newRoot, hashes: hashes(expected) }));
  }
});

t.test('the bytes that we write are those that are frozen', async (t) => {
  t.strictSame(JSON.parse(JSON.stringify(makeLogVectors())), log);
  t.strictSame(JSON.parse(JSON.stringify(makeStateVectors())), state);
});

t.test('the frozen log verifies', async (t) => {
  const roots = new Map<number, string>(
    log.roots.map(({ size, root }: { size: number; root: string }) => [size, root]),
  );
  for (const { index, size, hashes: path } of log.inclusion) {
    const root = fromHex(roots.get(size) ?? toHex(parseCheckpoint(log.checkpoint.body).root));
    t.ok(
      verifyInclusion(hasher, {
        index,
        size,
        leafHash: hasher.leafHash(sampleEntry(index)),
        hashes: hashes(path),
        root,
      }),
    );
  }
  for (const { oldSize, newSize, hashes: path } of log.consistency) {
    const [oldRoot, newRoot] = [fromHex(roots.get(oldSize)!), fromHex(roots.get(newSize)!)];
    t.ok(verifyConsistency(hasher, { oldSize, oldRoot, newSize, newRoot, hashes: hashes(path) }));
  }
  t.same(
    decodeBundle(fromHex(log.tiles.bundle), 3).map(({ length }) => length),
    [0, 1, 258],
  );
});

t.test('the frozen checkpoint verifies', async (t) => {
  const keys = log.keys.map(({ vkey }: { vkey: string }) => parseVkey(sha256, vkey));
  const note = parseNote(log.checkpoint.published);
  t.equal(note.text, log.checkpoint.body);
  const [logLine, ...cosigners] = note.signatures;
  t.ok(verifyLogSignature(note.text, logLine!, keys[0], verifyConsensus));
  const times = cosigners.map((line, i) => verifyCosignature(note.text, line, keys[4 + i], verifyConsensus)!);
  t.equal(checkpointTime(times, 4), log.checkpoint.timeMs);
  const proof = parseTlogProof(log.checkpoint.tlogProof);
  t.equal(proof.checkpoint, log.checkpoint.published);
  const { size, root } = parseCheckpoint(note.text);
  const { index } = proof;
  t.ok(verifyInclusion(hasher, { index, size, root, hashes: proof.hashes, leafHash: hasher.leafHash(sampleEntry(2)) }));
});

t.test('the frozen state proofs verify', async (t) => {
  const values = new Map<string, string>(
    state.steps.map(({ path, value }: { path: string; value: string }) => [path, value]),
  );
  for (const { path, present, proof } of state.proofs) {
    const found = verifyStateProof(sha256, fromHex(state.root), stateKey(sha256, path), stateProofFromJson(proof));
    t.equal(found !== undefined, present, path);
    if (found !== undefined) t.same(found, sha256(encodeUtf8(values.get(path)!)));
  }
});
