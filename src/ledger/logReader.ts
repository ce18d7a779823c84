import { WeftError } from '../codec/error.ts';
import { concat, equalBytes } from '../codec/utf8.ts';
import { encodeBundle } from '../log/bundles.ts';
import type { Frontier } from '../log/frontier.ts';
import { InnerNodes } from '../log/innerNodes.ts';
import { consistencyProof, inclusionProof, type NodeReader, rootFromNodes } from '../log/proofs.ts';
import {
  frontierFromNodes,
  levelWidth,
  parseTilePath,
  readTile,
  storeNodeReader,
  type Tile,
  type TileStore,
  TileWriter,
  tileRoot,
  tileWidth,
} from '../log/tiles.ts';
import { treeHasher } from './body.ts';
import { damaged } from './damage.ts';
import type { Executed } from './overlay.ts';
import type { Store } from './store.ts';

/** The finalized log as tiles: full ones in the store, unfinished ones here. Any size up to the finalized one can be read. */
export class LogTiles {
  readonly #store: Store;
  readonly #writer: TileWriter;
  readonly #tiles: TileStore;
  readonly #inner = new InnerNodes(treeHasher);
  /** Tiles that became full with a batch that is still being written. */
  readonly #fresh = new Map<string, Uint8Array>();
  /** Of the finalized, durable log. */
  #size: number;

  private constructor(store: Store, writer: TileWriter, size: number) {
    this.#store = store;
    this.#writer = writer;
    this.#size = size;
    this.#tiles = {
      full: (level, n) => this.#store.tile(level, n) ?? this.#fresh.get(`${level}/${n}`),
      unfinished: (level) => this.#writer.unfinished(level),
    };
  }

  /** @throws WeftError LOG_TILE_MISSING, DATA_DAMAGED */
  static open(store: Store, size: number): LogTiles {
    const first = size - (size % tileWidth);
    const edge = store.edgeTile(0, first / tileWidth)?.subarray(0, (size % tileWidth) * 32);
    const hashes: Uint8Array[] = edge === undefined ? [] : [edge];
    for (let index = first + (edge?.length ?? 0) / 32; index < size; index += 1) {
      const leaf = store.leaf(index);
      if (leaf === undefined) throw damaged(`log entry ${index} is missing`);
      hashes.push(treeHasher.leafHash(leaf));
    }
    const writer = TileWriter.restore(
      treeHasher,
      size,
      concat(...hashes),
      (level, n) => store.tile(level, n),
      (level, n) => store.edgeTile(level, n),
    );
    return new LogTiles(store, writer, size);
  }

  frontier(): Frontier {
    return frontierFromNodes(treeHasher, this.#nodes(this.#size), this.#size);
  }

  /** Takes leaves that are about to be committed; what became full belongs into the same batch. */
  append({ leafHashes, tileRoots }: Pick<Executed, 'leafHashes' | 'tileRoots'>): Tile[] {
    const tiles = this.#writer.append(leafHashes, tileRoots);
    for (const { level, n, bytes } of tiles) this.#fresh.set(`${level}/${n}`, bytes);
    return tiles;
  }

  /** The batch is durable. */
  committed(size: number): void {
    this.#size = size;
    this.#fresh.clear();
  }

  /** The hashes of every level's unfinished tile in the tree of `size` leaves, lowest level first: its right edge. */
  edgeAt(size: number): Uint8Array[] {
    this.#check(size);
    const edge: Uint8Array[] = [];
    for (let level = 0; levelWidth(level, size) > 0; level += 1) {
      const all = levelWidth(level, size);
      const width = all % tileWidth;
      const bytes =
        width === 0 ? new Uint8Array(0) : readTile(this.#tiles, { level, n: Math.floor(all / tileWidth), width });
      if (bytes === undefined)
        throw new WeftError('LOG_TILE_MISSING', `The log's edge at size ${size} is not held here.`, { size });
      edge.push(bytes.slice());
    }
    return edge;
  }

  /** As the tree has it; undefined where its tile is not held. */
  leafHash(index: number): Uint8Array | undefined {
    return this.#hashIn(0, Math.floor(index / tileWidth), index % tileWidth);
  }

  /** Is the root of this full tile the one that the tile above has of it? Undefined where one of the two is not held. */
  tileHolds(level: number, n: number): boolean | undefined {
    const tile = this.#tiles.full(level, n);
    const root = this.#hashIn(level + 1, Math.floor(n / tileWidth), n % tileWidth);
    return tile === undefined || root === undefined ? undefined : equalBytes(tileRoot(treeHasher, tile), root);
  }

  #hashIn(level: number, n: number, place: number): Uint8Array | undefined {
    return readTile(this.#tiles, { level, n, width: place + 1 })?.subarray(place * 32);
  }

  root(size: number): Uint8Array {
    return rootFromNodes(treeHasher, this.#nodes(size), size);
  }

  inclusion(index: number, size: number): Uint8Array[] {
    return inclusionProof(treeHasher, this.#nodes(size), index, size);
  }

  consistency(oldSize: number, newSize: number): Uint8Array[] {
    return consistencyProof(treeHasher, this.#nodes(newSize), oldSize, newSize);
  }

  /** `tile/…` or `tile/entries/…` (C2SP tlog-tiles), of every width that the finalized log has. */
  file(path: string): { readonly bytes: Uint8Array; readonly full: boolean } | undefined {
    const parsed = parseTilePath(path);
    if (parsed === undefined) return undefined;
    const { n, width } = parsed;
    const level = parsed.kind === 'tile' ? parsed.level : 0;
    if (level > 6 || n * tileWidth + width > levelWidth(level, this.#size)) return undefined;
    const full = width === tileWidth;
    if (parsed.kind === 'tile') {
      const bytes = readTile(this.#tiles, { level, n, width });
      return bytes === undefined ? undefined : { bytes, full };
    }
    const entries: Uint8Array[] = [];
    for (let index = n * tileWidth; index < n * tileWidth + width; index += 1) {
      const leaf = this.#store.leaf(index);
      if (leaf === undefined) return undefined;
      entries.push(leaf);
    }
    return { bytes: encodeBundle(entries), full };
  }

  /** Of the finalized log only: what is kept of it never changes. */
  #nodes(size: number): NodeReader {
    return storeNodeReader(treeHasher, this.#tiles, this.#check(size), this.#inner);
  }

  #check(size: number): number {
    if (Number.isSafeInteger(size) && size >= 0 && size <= this.#size) return size;
    throw new WeftError('LOG_INDEX_OUT_OF_RANGE', `The finalized log has ${this.#size} entries, not ${size}.`, {
      size,
    });
  }
}
