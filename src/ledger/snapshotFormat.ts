import { type Cbor, decodeCbor, encodeCbor } from '../codec/cbor.ts';
import { WeftError } from '../codec/error.ts';
import { toHex } from '../codec/hex.ts';
import { concat, encodeUtf8 } from '../codec/utf8.ts';
import { sha256Hex } from '../crypto/hash.ts';

/**
 * A snapshot: everything that a node needs to go on from a finalized block without the blocks before it, and to prove each
 * byte of it from the genesis document.
 *
 *     file     = "weft-snapshot/v1\n" ‖ part … ‖ manifest ‖ u32be(length of the manifest)
 *     manifest = CBOR [1, chain, genesisHash, height, header, finalization, [base height, base log size, [edge tile …]],
 *                checkpoint, [consistency hash …], [[kind, SHA-256, length] …]]
 *     part     = CBOR: kind 1 [[closing header, finalization, next epoch] …], 2 [header …], 3 [log entry …],
 *                4 [[path, canonical JSON] …]
 *
 * Parts stand in the order of their kinds. The base is the last block before the duplicate window: headers (2) reach
 * from it to the snapshot's block, entries (3) from its log size to the snapshot's.
 */
export const snapshotMagic = encodeUtf8('weft-snapshot/v1\n');
export const partKinds = { walk: 1, headers: 2, entries: 3, state: 4 } as const;
export type PartKind = (typeof partKinds)[keyof typeof partKinds];

export const snapshotLimits = {
  manifestBytesMax: 2 * 1024 * 1024,
  /** A part is closed when it has so much; the last thing in it may be large. */
  partBytes: 256 * 1024,
  partBytesMax: 2 * 1024 * 1024,
  partsMax: 32_768,
  /** Of all parts: what a peer can make us store before the state root shows that it lied. */
  bytesMax: 8 * 1024 * 1024 * 1024,
  partItemsMax: 262_144,
  /** Of the parts that prove the block, which are looked at before anything else: thousands of epochs. */
  walkBytesMax: 64 * 1024 * 1024,
  /** A log entry, as in a tlog-tiles bundle. */
  leafBytesMax: 65_535,
  /** Of a block's entries: they are held together until the block ends. */
  blockLeavesBytesMax: 256 * 1024 * 1024,
  /** No contract writes a value near it: a transaction has 32 KiB, a list of 128 validators about 64. */
  stateValueBytesMax: 1024 * 1024,
  /** Paths of state: what a tree of hashes in memory allows. */
  stateItemsMax: 4_194_304,
} as const;
const manifestTag = encodeUtf8('weft/snapshot/v1');
const levelsMax = 7;

export type SnapshotPart = {
  readonly kind: PartKind;
  /** Hex: SHA-256 of the part's bytes. */
  readonly digest: string;
  readonly length: number;
};

export type SnapshotManifest = {
  readonly chain: string;
  readonly genesisHash: Uint8Array;
  readonly height: number;
  readonly header: Uint8Array;
  readonly finalization: Uint8Array;
  readonly base: {
    /** 0: genesis. */
    readonly height: number;
    readonly logSize: number;
    /** Hashes of the unfinished tiles at `logSize`, lowest level first. */
    readonly edge: readonly Uint8Array[];
  };
  /** As published: one log line, q cosigner lines. Its size is the block's log size or above. */
  readonly checkpoint: string;
  /** RFC 6962 consistency proof from the block's log size to the checkpoint's; empty when they are the same. */
  readonly consistency: readonly Uint8Array[];
  readonly parts: readonly SnapshotPart[];
};

export function encodeManifest(manifest: SnapshotManifest): Uint8Array {
  const { chain, genesisHash, height, header, finalization, base, checkpoint, consistency, parts } = manifest;
  return encodeCbor([
    1,
    chain,
    genesisHash,
    height,
    header,
    finalization,
    [base.height, base.logSize, [...base.edge]],
    checkpoint,
    [...consistency],
    parts.map(({ kind, digest, length }) => [kind, Uint8Array.from(Buffer.from(digest, 'hex')), length]),
  ]);
}

/** Form and bounds only. @throws WeftError SNAPSHOT_INVALID, SNAPSHOT_TOO_LARGE */
export function decodeManifest(bytes: Uint8Array): SnapshotManifest {
  const { manifestBytesMax, partsMax, bytesMax, partBytesMax, walkBytesMax } = snapshotLimits;
  const value = read(bytes, { bytesMax: manifestBytesMax, itemsMax: 4 * partsMax + 256, depthMax: 4 });
  if (value.length !== 10 || value[0] !== 1) throw invalidSnapshot('its manifest is of another version');
  const [, chain, genesisHash, height, header, finalization, baseFields, checkpoint, consistency, rows] = value;
  const [baseHeight, logSize, edge] = Array.isArray(baseFields) ? (baseFields as readonly Cbor[]) : [];
  if (
    typeof chain !== 'string' ||
    !isBytes(genesisHash, 32) ||
    !isCount(height) ||
    height < 1 ||
    !isBytes(header) ||
    !isBytes(finalization) ||
    !isCount(baseHeight) ||
    baseHeight >= height ||
    !isCount(logSize) ||
    logSize < 1 ||
    !isBytesList(edge, levelsMax) ||
    typeof checkpoint !== 'string' ||
    !isBytesList(consistency, 64) ||
    !Array.isArray(rows) ||
    rows.length > partsMax
  ) {
    throw invalidSnapshot('its manifest has another form');
  }
  const parts = rows.map((row: Cbor): SnapshotPart => {
    const [kind, digest, length, ...more] = Array.isArray(row) ? (row as readonly Cbor[]) : [];
    if (!isKind(kind) || !isBytes(digest, 32) || !isCount(length) || length < 1 || more.length > 0) {
      throw invalidSnapshot('an entry of its list of parts');
    }
    if (length > partBytesMax) throw new WeftError('SNAPSHOT_TOO_LARGE', `A part of a snapshot has ${length} bytes.`);
    return { kind, digest: toHex(digest), length };
  });
  if (parts.some(({ kind }, i) => kind < (parts[i - 1]?.kind ?? 0)))
    throw invalidSnapshot('its parts are out of order');
  if (bytesOf(parts) > bytesMax) throw new WeftError('SNAPSHOT_TOO_LARGE', 'A snapshot is larger than is accepted.');
  if (bytesOf(parts.filter(({ kind }) => kind === partKinds.walk)) > walkBytesMax)
    throw new WeftError('SNAPSHOT_TOO_LARGE', 'The walk of a snapshot is longer than is accepted.');
  return {
    chain,
    genesisHash,
    height,
    header,
    finalization,
    base: { height: baseHeight, logSize, edge },
    checkpoint,
    consistency,
    parts,
  };
}

/** What a manifest is known by, and with it the whole snapshot. Hex. */
export function manifestId(manifest: Uint8Array): string {
  return sha256Hex(concat(manifestTag, manifest));
}

export function bytesOf(parts: readonly SnapshotPart[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}

/** Where each part begins in the file. */
export function offsetsOf(parts: readonly SnapshotPart[]): number[] {
  let at = snapshotMagic.length;
  return parts.map(({ length }) => {
    at += length;
    return at - length;
  });
}

/** The things in a part. @throws WeftError SNAPSHOT_INVALID */
export function decodePart(bytes: Uint8Array): readonly Cbor[] {
  return read(bytes, { bytesMax: snapshotLimits.partBytesMax, itemsMax: snapshotLimits.partItemsMax, depthMax: 5 });
}

export function invalidSnapshot(why: string): WeftError {
  return new WeftError('SNAPSHOT_INVALID', `Not a snapshot: ${why}.`);
}

function read(bytes: Uint8Array, limits: { bytesMax: number; itemsMax: number; depthMax: number }): readonly Cbor[] {
  if (bytes.length > limits.bytesMax) {
    throw new WeftError('SNAPSHOT_TOO_LARGE', `A piece of a snapshot has ${bytes.length} bytes.`);
  }
  try {
    const value = decodeCbor(bytes, limits);
    if (Array.isArray(value)) return value as readonly Cbor[];
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    throw invalidSnapshot(error.code);
  }
  throw invalidSnapshot('a piece of it is no list');
}

export function isBytes(value: Cbor | undefined, length?: number): value is Uint8Array {
  return value instanceof Uint8Array && (length === undefined || value.length === length);
}

function isBytesList(value: Cbor | undefined, max: number): value is readonly Uint8Array[] {
  return Array.isArray(value) && value.length <= max && value.every((each) => each instanceof Uint8Array);
}

function isCount(value: Cbor | undefined): value is number {
  return typeof value === 'number' && value >= 0;
}

function isKind(value: Cbor | undefined): value is PartKind {
  return typeof value === 'number' && value >= partKinds.walk && value <= partKinds.state;
}
