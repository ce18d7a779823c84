import { WeftError } from '../codec/error.ts';
import { toHex } from '../codec/hex.ts';
import { decodeUtf8, equalBytes } from '../codec/utf8.ts';
import { verifyConsensus } from '../crypto/ed25519.ts';
import { sha256 } from '../crypto/hash.ts';
import { parseCheckpoint, verifyLogSignature } from '../log/checkpoint.ts';
import { checkpointTime, verifyCosignature } from '../log/cosignature.ts';
import { Frontier } from '../log/frontier.ts';
import { createTreeHasher, hashBytes } from '../log/hasher.ts';
import { noteLimits, parseNote } from '../log/note.ts';
import { formatTilePath, type TileId, TileWriter, tileWidth } from '../log/tiles.ts';
import { parseTrust, type Trust } from '../token/trust.ts';
import { readEntries } from './logEntries.ts';
import type { LogSource } from './logSource.ts';

export type VerifiedLog = {
  readonly chain: string;
  readonly origin: string;
  readonly size: number;
  /** 64 hex digits. */
  readonly root: string;
  /** Milliseconds UTC at which at least one honest validator had signed. */
  readonly time: number;
  /** Names of all validators whose cosignature holds: at least the quorum. */
  readonly cosigners: readonly string[];
  readonly bundles: number;
  readonly tiles: number;
};

export type VerifyLogOptions = {
  /** Trust file text, or what it reads as. */
  readonly trust: Trust | string;
  readonly onProgress?: (entries: number, size: number) => void;
};

/**
 * Checks a log from outside, without replay: the checkpoint against the trust file, then every entry bundle and every
 * tile against the checkpoint. What holds is that a quorum stands behind exactly these entries in this order; what they
 * mean is for `weft audit`.
 * @throws WeftError TRUST_INVALID, LOG_CHECKPOINT_MISSING, LOG_ORIGIN, LOG_SIGNATURES (no log key, too few cosigners),
 *   LOG_BUNDLE_MISSING, LOG_TILE_MISSING, LOG_TILE_WRONG, LOG_ROOT_WRONG, LOG_GENESIS_WRONG, LOG_BOUNDARY_WRONG, and those of the
 *   formats and the source
 */
export async function verifyLog(source: LogSource, options: VerifyLogOptions): Promise<VerifiedLog> {
  const trust = typeof options.trust === 'string' ? parseTrust(sha256, options.trust) : options.trust;
  const bytes = await source.read('checkpoint', noteLimits.lengthMax);
  if (bytes === undefined) {
    throw new WeftError(
      'LOG_CHECKPOINT_MISSING',
      'there is no file called checkpoint; is this the folder or the server of a log?',
    );
  }
  const { size, root, time, cosigners } = checkCheckpoint(decodeUtf8(bytes), trust);
  const hasher = createTreeHasher(sha256);
  const writer = new TileWriter(hasher);
  let frontier = Frontier.empty(hasher);
  let tiles = 0;
  const bundles = Math.ceil(size / tileWidth);
  let n = 0;
  for await (const leaves of readEntries(source, size)) {
    if (n === 0) checkGenesisLeaf(leaves[0], trust);
    if (n === bundles - 1) checkLastLeaf(leaves.at(-1), size);
    const hashes = leaves.map((leaf) => hasher.leafHash(leaf));
    frontier = frontier.appendAll(hashes);
    for (const { level, n: number, bytes: expected } of writer.append(hashes)) {
      await checkTile(source, { level, n: number, width: tileWidth }, expected);
      tiles++;
    }
    n++;
    options.onProgress?.(Math.min(n * tileWidth, size), size);
  }
  for (let level = 0; ; level++) {
    const { n, bytes: expected } = writer.unfinished(level);
    if (n === 0 && expected.length === 0) break;
    if (expected.length === 0) continue;
    await checkTile(source, { level, n, width: expected.length / hashBytes }, expected);
    tiles++;
  }
  if (!equalBytes(frontier.root(), root)) {
    throw new WeftError(
      'LOG_ROOT_WRONG',
      `the ${size} entries have the root ${toHex(frontier.root())}, the checkpoint says ${toHex(root)}`,
      { size },
    );
  }
  return { chain: trust.chain, origin: trust.origin, size, root: toHex(root), time, cosigners, bundles, tiles };
}

type CheckedCheckpoint = Pick<VerifiedLog, 'size' | 'time' | 'cosigners'> & { readonly root: Uint8Array };

/** One known log key and a quorum of distinct cosigners; other lines are passed over, as C2SP wants of checkpoints. */
function checkCheckpoint(text: string, trust: Trust): CheckedCheckpoint {
  const note = parseNote(text);
  const { origin, size, root } = parseCheckpoint(note.text);
  if (origin !== trust.origin)
    throw new WeftError('LOG_ORIGIN', `this is the log ${origin}, trust is in ${trust.origin}`);
  const byLog = note.signatures.some((line) =>
    trust.logs.some(
      (key) =>
        key.keyId === line.keyId && key.name === line.name && verifyLogSignature(note.text, line, key, verifyConsensus),
    ),
  );
  if (!byLog) throw new WeftError('LOG_SIGNATURES', 'no log key of the trust file signed the checkpoint');
  const times: number[] = [];
  const cosigners: string[] = [];
  for (const { name, key } of trust.cosigners) {
    const found = note.signatures
      .filter((line) => line.keyId === key.keyId && line.name === key.name)
      .map((line) => verifyCosignature(note.text, line, key, verifyConsensus))
      .filter((timeS) => timeS !== undefined);
    if (found.length === 0) continue;
    cosigners.push(name);
    times.push(Math.max(...found));
  }
  if (cosigners.length < trust.quorum) {
    throw new WeftError(
      'LOG_SIGNATURES',
      `${cosigners.length} validators of the trust file cosigned the checkpoint (${cosigners.join(', ') || 'none'}); it needs ${trust.quorum}`,
    );
  }
  return { size, root, time: checkpointTime(times, trust.cosigners.length), cosigners };
}

async function checkTile(source: LogSource, tile: TileId, expected: Uint8Array): Promise<void> {
  const path = formatTilePath(tile);
  const bytesMax = tileWidth * hashBytes;
  let found = await source.read(path, bytesMax);
  if (found === undefined && tile.width < tileWidth) {
    found = (await source.read(formatTilePath({ ...tile, width: tileWidth }), bytesMax))?.subarray(0, expected.length);
  }
  if (found === undefined) throw new WeftError('LOG_TILE_MISSING', `${path} is absent`, { tile: path });
  if (!equalBytes(found, expected)) {
    throw new WeftError('LOG_TILE_WRONG', `${path} holds other hashes than the entries have`, { tile: path });
  }
}

function checkGenesisLeaf(leaf: Uint8Array | undefined, trust: Trust): void {
  const record = recordOf(leaf);
  const genesisHash = record?.['genesisHash'];
  if (
    record?.['type'] === 'genesis' &&
    record['chain'] === trust.chain &&
    typeof genesisHash === 'string' &&
    trust.chain.endsWith(`-${genesisHash.slice(0, 12)}`)
  )
    return;
  throw new WeftError('LOG_GENESIS_WRONG', `entry 0 is not the genesis record of ${trust.chain}`);
}

/** Every checkpoint size is a block boundary. */
function checkLastLeaf(leaf: Uint8Array | undefined, size: number): void {
  if (recordOf(leaf)?.['type'] === 'block') return;
  throw new WeftError(
    'LOG_BOUNDARY_WRONG',
    `entry ${size - 1} is not a block record, so ${size} is no size that a checkpoint may have`,
  );
}

function recordOf(leaf: Uint8Array | undefined): Record<string, unknown> | undefined {
  try {
    const value: unknown = leaf === undefined ? undefined : JSON.parse(decodeUtf8(leaf));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
