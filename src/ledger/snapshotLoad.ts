import type { Json } from '../../contracts/types.ts';
import { canonicalJson } from '../codec/canonical.ts';
import type { Cbor } from '../codec/cbor.ts';
import { encodeCbor } from '../codec/cbor.ts';
import { WeftError } from '../codec/error.ts';
import { fromHex, toHex } from '../codec/hex.ts';
import { decodeUtf8 } from '../codec/utf8.ts';
import { sha256, sha256Text } from '../crypto/hash.ts';
import { type DigestText, StateTree, stateKeyText } from '../log/stateTree.ts';
import { frontierFromNodes, levelWidth, storeNodeReader, TileWriter, tileWidth } from '../log/tiles.ts';
import { treeHasher } from './body.ts';
import { epochFromState, epochPaths } from './epochState.ts';
import { encodeFloor } from './floor.ts';
import type { Genesis } from './genesis.ts';
import { type Header, isClosing } from './header.ts';
import type { KeyValue, WriteOp } from './keyValue.ts';
import { LeafRuns } from './leafRuns.ts';
import { factsOfEntries } from './snapshotEntries.ts';
import type { SnapshotSource } from './snapshotFile.ts';
import {
  decodePart,
  invalidSnapshot,
  isBytes,
  type PartKind,
  partKinds,
  type SnapshotManifest,
  snapshotLimits,
} from './snapshotFormat.ts';
import { checkSnapshotCheckpoint, HeaderChain, Walk } from './snapshotProof.ts';
import { dataVersion, encodeEpoch } from './store.ts';
import {
  blockIdKey,
  blockKey,
  certificateKey,
  closingKey,
  epochKey,
  leafKey,
  metaKey,
  numberBytes,
  stateKeyOf,
  tileKey,
} from './storeKeys.ts';

export type LoadedSnapshot = { readonly header: Header; readonly epoch: number; readonly bytes: number };

export type LoadOptions = {
  /** Notes and the cosigned checkpoint of the store that is replaced: what this node must not forget. */
  readonly keep?: readonly (readonly [name: string, value: Uint8Array])[];
  readonly onProgress?: (part: number, of: number) => void;
};

/**
 * Fills an empty database with a snapshot, verifying everything on the way; the tip is written last, so that a store that is
 * not whole is never taken for one. In this order, so that a lie costs as little as possible: the walk from genesis and the block
 * itself, its checkpoint, the headers back to the base, the log from there (by its root), the state (by its root).
 * @throws WeftError SNAPSHOT_OTHER_CHAIN, _INVALID, _TOO_LARGE, _PART, _WALK, _CHECKPOINT, _HEADERS, _WINDOW, _LOG, _STATE
 */
export async function loadSnapshot(
  source: SnapshotSource,
  genesis: Genesis,
  database: KeyValue,
  options: LoadOptions = {},
): Promise<LoadedSnapshot> {
  checkChain(source.manifest, genesis);
  const loader = new Loader(source, genesis, database, options);
  try {
    return await loader.load();
  } catch (error) {
    throw saidOfSnapshot(error);
  }
}

/** Whatever a decoder says of bytes from outside, it says it of the snapshot; what disk and store say is left as it is. */
function saidOfSnapshot(error: unknown): unknown {
  if (error instanceof WeftError)
    return /^(SNAPSHOT|DISK|DATA)_/.test(error.code) ? error : invalidSnapshot(error.code);
  const ofBytes = error instanceof SyntaxError || error instanceof RangeError || error instanceof TypeError;
  return ofBytes ? invalidSnapshot('an entry cannot be read') : error;
}

/**
 * Shows that a snapshot is of a finalized block of this chain, with a checkpoint over it: takes the parts of its walk one after
 * the other, and refuses at the first step that does not hold, before more is fetched.
 */
export class SnapshotProof {
  readonly #manifest: SnapshotManifest;
  readonly #genesis: Genesis;
  readonly #walk: Walk;

  /** @throws WeftError SNAPSHOT_OTHER_CHAIN */
  constructor(manifest: SnapshotManifest, genesis: Genesis) {
    checkChain(manifest, genesis);
    this.#manifest = manifest;
    this.#genesis = genesis;
    this.#walk = new Walk(genesis);
  }

  /** The next part of kind walk. @throws WeftError SNAPSHOT_INVALID, SNAPSHOT_WALK */
  take(part: Uint8Array): void {
    try {
      for (const step of decodePart(part)) this.#walk.take(step);
    } catch (error) {
      throw saidOfSnapshot(error);
    }
  }

  /** When all of them were taken. @throws WeftError SNAPSHOT_INVALID, SNAPSHOT_WALK, SNAPSHOT_CHECKPOINT */
  finish(): Header {
    try {
      const header = this.#walk.prove(this.#manifest);
      checkSnapshotCheckpoint(this.#manifest, header, this.#walk.epoch, this.#genesis);
      return header;
    } catch (error) {
      throw saidOfSnapshot(error);
    }
  }
}

function checkChain(manifest: SnapshotManifest, genesis: Genesis): void {
  if (manifest.chain === genesis.chain && toHex(manifest.genesisHash) === genesis.genesisHash) return;
  throw new WeftError('SNAPSHOT_OTHER_CHAIN', `The snapshot is of ${manifest.chain}, not of ${genesis.chain}.`);
}

/** What is held for the database before it is written: no lie is held whole until its hashes show it. */
const batchMax = { ops: 4096, bytes: 4 * 1024 * 1024 } as const;

class Loader {
  readonly #source: SnapshotSource;
  readonly #manifest: SnapshotManifest;
  readonly #genesis: Genesis;
  readonly #database: KeyValue;
  readonly #options: LoadOptions;
  #ops: WriteOp[] = [];
  #opsBytes = 0;
  #bytes = 0;

  constructor(source: SnapshotSource, genesis: Genesis, database: KeyValue, options: LoadOptions) {
    this.#source = source;
    this.#manifest = source.manifest;
    this.#genesis = genesis;
    this.#database = database;
    this.#options = options;
  }

  async load(): Promise<LoadedSnapshot> {
    const manifest = this.#manifest;
    const walk = new Walk(this.#genesis);
    for await (const step of this.#items(partKinds.walk)) walk.take(step);
    const header = walk.prove(manifest);
    checkSnapshotCheckpoint(manifest, header, walk.epoch, this.#genesis);
    const chain = new HeaderChain(manifest, walk.lifetimeMaxMs);
    for await (const bytes of this.#items(partKinds.headers)) chain.take(bytes);
    chain.finish(manifest, this.#genesis, walk.lifetimeMaxMs);
    await this.#loadLog(chain, header);
    const state = await this.#loadState(header);
    const current = epochFromState(state, header.epoch + (isClosing(header) ? 1 : 0), this.#genesis.genesisHash);
    if (current.digest !== header.nextValidators) {
      throw new WeftError('SNAPSHOT_STATE', 'The state of the snapshot names other validators than its block.');
    }
    // Of the epochs before only the digests' content is known; the present one has its URLs, from state.
    for (const epoch of walk.epochs) this.#put(epochKey(epoch.epoch), encodeEpoch(epoch));
    this.#put(epochKey(current.epoch), encodeEpoch(current));
    for (const { header: closing, headerBytes, certificate } of [
      ...walk.closings,
      ...(isClosing(header) ? [{ header, headerBytes: manifest.header, certificate: manifest.finalization }] : []),
    ]) {
      if (closing.height < manifest.base.height) this.#put(blockKey(closing.height), encodeCbor([headerBytes, 0]));
      this.#put(certificateKey(closing.height), certificate);
      this.#put(closingKey(closing.epoch), numberBytes(closing.height));
    }
    this.#put(certificateKey(header.height), manifest.finalization);
    for (const [name, value] of this.#options.keep ?? []) this.#put(metaKey(name), value);
    const { base } = manifest;
    this.#put(
      metaKey('floor'),
      encodeFloor({
        height: base.height + 1,
        logSize: base.logSize,
        entry: base.height === 0 ? 0 : base.logSize,
        tiles: base.height === 0 ? 0 : base.logSize,
      }),
    );
    await this.#flush();
    this.#put(metaKey('version'), numberBytes(dataVersion));
    this.#put(metaKey('genesis'), fromHex(this.#genesis.genesisHash, 32));
    this.#put(metaKey('tip'), numberBytes(header.height));
    await this.#flush();
    return { header, epoch: current.epoch, bytes: this.#bytes };
  }

  /** Entries from the base to the block, on the log's edge at the base: their root is the one that the block names. */
  async #loadLog(chain: HeaderChain, header: Header): Promise<void> {
    const { base } = this.#manifest;
    const writer = restoreEdge(base.edge, base.logSize);
    const rootNow = (): string => {
      const tiles = { full: () => undefined, unfinished: (level: number) => writer.unfinished(level) };
      return toHex(frontierFromNodes(treeHasher, storeNodeReader(treeHasher, tiles, writer.size), writer.size).root());
    };
    const [first] = chain.headers;
    const baseRoot = base.height === 0 ? toHex(treeHasher.leafHash(this.#genesis.leaf)) : (first?.header.logRoot ?? '');
    if (rootNow() !== baseRoot) throw wrongLog('the edge of its base has another root');
    for (const [level, bytes] of base.edge.entries()) {
      // The tile that was unfinished at the base; when it is full it stands here whole.
      if (bytes.length > 0) this.#put(tileKey(level, Math.floor(levelWidth(level, base.logSize) / tileWidth)), bytes);
    }
    if (base.height === 0) this.#put(leafKey(0), this.#genesis.leaf);
    const blocks = base.height === 0 ? chain.headers : chain.headers.slice(1);
    if (base.height > 0 && first !== undefined) {
      this.#put(blockKey(base.height), encodeCbor([first.bytes, 0]));
      this.#put(blockIdKey(first.blockId), numberBytes(base.height));
    }
    // Nothing of it is there yet.
    const runs = new LeafRuns(() => undefined);
    let index = base.logSize;
    let block = 0;
    let leaves: Uint8Array[] = [];
    let heldBytes = 0;
    for await (const leaf of this.#items(partKinds.entries)) {
      if (!isBytes(leaf) || index >= header.logSize) throw wrongLog('it has another number of entries');
      if (leaf.length > snapshotLimits.leafBytesMax) throw wrongLog(`an entry has ${leaf.length} bytes`);
      heldBytes += leaf.length;
      if (heldBytes > snapshotLimits.blockLeavesBytesMax) throw wrongLog('the entries of a block have too many bytes');
      for (const { level, n, bytes } of writer.append([treeHasher.leafHash(leaf)])) this.#put(tileKey(level, n), bytes);
      leaves.push(leaf);
      index += 1;
      await this.#flushWhenFull();
      const at = blocks[block];
      if (at === undefined || at.header.logSize > index) continue;
      if (at.header.logSize !== index) throw wrongLog('a block has no entry');
      const { ops, transactions } = factsOfEntries(at.header.height, index - leaves.length, leaves);
      runs.push(ops, index - leaves.length, leaves);
      for (const op of ops) this.#push(op);
      this.#put(blockKey(at.header.height), encodeCbor([at.bytes, transactions]));
      this.#put(blockIdKey(at.blockId), numberBytes(at.header.height));
      leaves = [];
      heldBytes = 0;
      block += 1;
      await this.#flushWhenFull();
    }
    if (index !== header.logSize || block !== blocks.length) throw wrongLog('entries are missing');
    if (rootNow() !== header.logRoot) throw wrongLog('its entries give another root');
  }

  async #loadState(header: Header): Promise<{ get(path: string): Json | undefined }> {
    let tree = StateTree.empty(sha256, sha256Text);
    let before = '';
    // Only what an epoch is made of is read from it here; the rest is read when the ledger opens.
    const read = new Map<string, Json>();
    let count = 0;
    let changes: [DigestText, DigestText][] = [];
    for await (const item of this.#items(partKinds.state)) {
      const [path, value, ...more] = Array.isArray(item) ? (item as readonly Cbor[]) : [];
      if (typeof path !== 'string' || !isBytes(value) || more.length > 0) throw invalidSnapshot('an item of its state');
      if (path <= before) throw wrongState('its paths do not ascend');
      before = path;
      count += 1;
      if (count > snapshotLimits.stateItemsMax)
        throw new WeftError('SNAPSHOT_TOO_LARGE', 'The state of the snapshot has more paths than are accepted.');
      if (value.length > snapshotLimits.stateValueBytesMax) throw wrongState(`a value has ${value.length} bytes`);
      const json = JSON.parse(decodeUtf8(value)) as Json;
      if (canonicalJson(json) !== decodeUtf8(value)) throw wrongState(`${path} is not canonical`);
      changes.push([stateKeyText(sha256Text, path), sha256Text(value)]);
      if (epochPaths.has(path)) read.set(path, json);
      this.#put(stateKeyOf(path), value);
      await this.#flushWhenFull();
      if (changes.length < 512) continue;
      tree = tree.update(changes);
      changes = [];
    }
    tree = tree.update(changes);
    if (toHex(tree.root()) !== header.stateRoot) throw wrongState('it has another root than its block names');
    return read;
  }

  async *#items(kind: PartKind): AsyncGenerator<Cbor> {
    const { parts } = this.#manifest;
    for (const [i, part] of parts.entries()) {
      if (part.kind !== kind) continue;
      const bytes = await this.#source.part(i);
      this.#bytes += bytes.length;
      this.#options.onProgress?.(i + 1, parts.length);
      yield* decodePart(bytes);
      await nextTurn();
    }
  }

  #put(key: Uint8Array, value: Uint8Array): void {
    this.#push({ type: 'put', key, value });
  }

  #push(op: WriteOp): void {
    this.#ops.push(op);
    this.#opsBytes += op.key.length + (op.type === 'put' ? op.value.length : 0);
  }

  async #flushWhenFull(): Promise<void> {
    if (this.#ops.length >= batchMax.ops || this.#opsBytes >= batchMax.bytes) await this.#flush();
  }

  async #flush(): Promise<void> {
    const ops = this.#ops;
    this.#ops = [];
    this.#opsBytes = 0;
    if (ops.length > 0) await this.#database.write(ops);
  }
}

/** @throws WeftError SNAPSHOT_LOG */
function restoreEdge(edge: readonly Uint8Array[], size: number): TileWriter {
  try {
    for (let level = 0; levelWidth(level, size) > 0; level += 1) {
      if (edge[level]?.length !== 32 * (levelWidth(level, size) % tileWidth)) throw wrongLog('its edge does not fit');
    }
    return TileWriter.restore(
      treeHasher,
      size,
      edge[0] ?? new Uint8Array(0),
      () => undefined,
      (level) => edge[level],
    );
  } catch (error) {
    throw error instanceof WeftError && error.code.startsWith('LOG_') ? wrongLog(error.code) : error;
  }
}

function wrongLog(why: string): WeftError {
  return new WeftError('SNAPSHOT_LOG', `The log of the snapshot does not hold: ${why}.`);
}

function wrongState(why: string): WeftError {
  return new WeftError('SNAPSHOT_STATE', `The state of the snapshot does not hold: ${why}.`);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
