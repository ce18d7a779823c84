import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { ed25519Signer } from '../../src/crypto/ed25519.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { encodeBundle } from '../../src/log/bundles.ts';
import { formatCheckpoint, signCheckpoint } from '../../src/log/checkpoint.ts';
import { cosign, quorumOf } from '../../src/log/cosignature.ts';
import { Frontier } from '../../src/log/frontier.ts';
import { createTreeHasher, hashBytes } from '../../src/log/hasher.ts';
import { formatNote } from '../../src/log/note.ts';
import { formatBundlePath, formatTilePath, TileWriter, tileWidth } from '../../src/log/tiles.ts';
import { algCosigner, algLog, createVkey } from '../../src/log/vkey.ts';
import { formatTrust } from '../../src/token/trust.ts';

const chain = `weft-test-${'0'.repeat(12)}`;

/** A whole log on disk with its trust file: `size` leaves, four validators of whom `signers` cosign. */
export function writeLog(dir: string, size: number, signers = 3): string {
  const hasher = createTreeHasher(sha256);
  const leaves = Array.from({ length: size }, (_, index) => {
    if (index === 0) return { type: 'genesis', chain, genesisHash: '0'.repeat(64) };
    return index === size - 1 || index % 100 === 99 ? { type: 'block', height: 1 } : { type: 'note', index };
  }).map((record) => encodeUtf8(JSON.stringify(record)));
  const put = (path: string, bytes: Uint8Array | string): void => {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), bytes);
  };
  for (let at = 0; at < size; at += tileWidth) {
    const part = leaves.slice(at, at + tileWidth);
    put(formatBundlePath(at / tileWidth, part.length), encodeBundle(part));
  }
  const hashes = leaves.map((leaf) => hasher.leafHash(leaf));
  const writer = new TileWriter(hasher);
  for (const { level, n, bytes } of writer.append(hashes)) put(formatTilePath({ level, n, width: tileWidth }), bytes);
  for (let level = 0; level < 3; level++) {
    const { n, bytes } = writer.unfinished(level);
    if (bytes.length > 0) put(formatTilePath({ level, n, width: bytes.length / hashBytes }), bytes);
  }
  const origin = `${chain}/weft`;
  const log = ed25519Signer(new Uint8Array(32).fill(1));
  const logKey = createVkey(sha256, origin, algLog, log.publicKey);
  const cosigners = ['v1', 'v2', 'v3', 'v4'].map((name, index) => {
    const signer = ed25519Signer(new Uint8Array(32).fill(10 + index));
    return { name, signer, key: createVkey(sha256, `${chain}/${name}`, algCosigner, signer.publicKey) };
  });
  const text = formatCheckpoint({ origin, size, root: Frontier.empty(hasher).appendAll(hashes).root() });
  const lines = cosigners.slice(0, signers).map(({ key, signer }) => cosign(text, 1_763_712_000, key, signer.sign));
  put('checkpoint', formatNote({ text, signatures: [signCheckpoint(text, logKey, log.sign), ...lines] }));
  return formatTrust(sha256, {
    chain,
    origin,
    logs: [logKey],
    cosigners: cosigners.map(({ name, key }) => ({ name, key, url: 'http://127.0.0.1:7611' })),
    quorum: quorumOf(4),
    checkedAt: 1_763_712_000_000,
  });
}
