import { WeftError } from '../codec/error.ts';
import { Frontier, levelsOf } from './frontier.ts';
import { hashBytes, type TreeHasher } from './hasher.ts';
import { type InnerNodes, subtreeRoot } from './innerNodes.ts';
import type { NodeReader } from './proofs.ts';

/** C2SP tlog-tiles: a tile holds 256 hashes, the leaves of a subtree of height 8. */
export const tileWidth = 256;
export const tileHeight = 8;
/** 2^53 leaves fill 7 levels of tiles; paths may name up to level 63. */
const tileLevelMax = 63;

/** `level` counts tiles (each of 8 tree levels), `n` is the tile's number in its level, `width` 1-256 hashes. */
export type TileId = { readonly level: number; readonly n: number; readonly width: number };
export type Tile = { readonly level: number; readonly n: number; readonly bytes: Uint8Array };

/**
 * Where hashes are kept: every full tile (8,192 bytes) and, per level, the hashes of the unfinished rightmost tile, one
 * after the other. The ledger puts both in its store; a folder or a web server will do as well.
 */
export type TileStore = {
  full(level: number, n: number): Uint8Array | undefined;
  unfinished(level: number): { readonly n: number; readonly bytes: Uint8Array };
};

/** Number of hashes that tile level `level` has in a tree of `size` leaves. */
export function levelWidth(level: number, size: number): number {
  return Math.floor(size / tileWidth ** level);
}

/**
 * The first `width` hashes of tile `n`, from the full tile or from the unfinished one; undefined when fewer are there. The unfinished one
 * is in memory: it is asked first, so that no database is searched for what it cannot have.
 */
export function readTile(store: TileStore, { level, n, width }: TileId): Uint8Array | undefined {
  const unfinished = store.unfinished(level);
  if (unfinished.n === n && unfinished.bytes.length >= width * hashBytes)
    return unfinished.bytes.subarray(0, width * hashBytes);
  return store.full(level, n)?.subarray(0, width * hashBytes);
}

/**
 * The tiles that a tree of `size` leaves consists of, as C2SP tlog-tiles names them (a tree of 256 leaves has a full
 * level-0 tile and a partial level-1 tile of width 1). In order of level and number.
 */
export function* tilesOfSize(size: number): Generator<TileId> {
  for (let level = 0; levelWidth(level, size) > 0; level += 1) {
    const width = levelWidth(level, size);
    for (let n = 0; n < Math.ceil(width / tileWidth); n += 1) {
      yield { level, n, width: Math.min(tileWidth, width - n * tileWidth) };
    }
  }
}

/** The hash that a full tile has in the level above. `bytes`: 8,192. */
export function tileRoot(hasher: TreeHasher, bytes: Uint8Array): Uint8Array {
  return subtreeRoot(hasher, bytes, 0, tileWidth);
}

/**
 * Reads tree nodes out of tiles, for proofs; `inner` keeps some of them for the next proof. Throws LOG_TILE_MISSING when a tile that is
 * needed is absent or too short, and LOG_TILE_INVALID when one is longer than a tile.
 */
function tileNodeReader(
  hasher: TreeHasher,
  read: (id: TileId) => Uint8Array | undefined,
  size: number,
  inner?: InnerNodes,
): NodeReader {
  return (level, index) => {
    const tileLevel = Math.floor(level / tileHeight);
    const count = 2 ** (level % tileHeight);
    const first = index * count;
    const n = Math.floor(first / tileWidth);
    const width = Math.min(tileWidth, levelWidth(tileLevel, size) - n * tileWidth);
    const bytes = first + count <= n * tileWidth + width ? read({ level: tileLevel, n, width }) : undefined;
    if (bytes === undefined || bytes.length < width * hashBytes) {
      throw new WeftError(
        'LOG_TILE_MISSING',
        `Tile ${formatTilePath({ level: tileLevel, n, width: Math.max(1, width) })} is needed and absent.`,
        {
          level: tileLevel,
          n,
        },
      );
    }
    if (bytes.length > tileWidth * hashBytes) {
      throw new WeftError('LOG_TILE_INVALID', 'A tile is longer than 8,192 bytes.', { level: tileLevel, n });
    }
    const place = first - n * tileWidth;
    // Of full tiles of leaves there are more than could be kept, and few are asked for twice.
    if (inner === undefined || (tileLevel === 0 && width === tileWidth))
      return subtreeRoot(hasher, bytes, place, count);
    return inner.root(tileLevel, n, bytes, place, count);
  };
}

/** The node reader over a store, for any size up to what the store holds. */
export function storeNodeReader(hasher: TreeHasher, store: TileStore, size: number, inner?: InnerNodes): NodeReader {
  // A proof asks for up to eight nodes of one tile, one after the other: it is read once.
  let last: { readonly id: TileId; readonly bytes: Uint8Array | undefined } | undefined;
  const read = (id: TileId): Uint8Array | undefined => {
    if (last === undefined || last.id.level !== id.level || last.id.n !== id.n || last.id.width !== id.width)
      last = { id, bytes: readTile(store, id) };
    return last.bytes;
  };
  return tileNodeReader(hasher, read, size, inner);
}

/** The frontier of the tree of `size` leaves, from its tiles. */
export function frontierFromNodes(hasher: TreeHasher, read: NodeReader, size: number): Frontier {
  let begin = 0;
  const hashes = levelsOf(size).map((level) => {
    const hash = read(level, begin / 2 ** level);
    begin += 2 ** level;
    return hash;
  });
  return Frontier.from(hasher, size, hashes);
}

/** `000`, `x001/x234/067` (C2SP tlog-tiles: groups of three digits, all but the last marked). */
function formatTileNumber(n: number): string {
  let path = String(n % 1000).padStart(3, '0');
  for (let rest = Math.floor(n / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    path = `x${String(rest % 1000).padStart(3, '0')}/${path}`;
  }
  return path;
}

/** `tile/<L>/<N>[.p/<W>]`, no leading slash. */
export function formatTilePath({ level, n, width }: TileId): string {
  return `tile/${level}/${formatTileNumber(n)}${width === tileWidth ? '' : `.p/${width}`}`;
}

/** `tile/entries/<N>[.p/<W>]`, no leading slash. */
export function formatBundlePath(n: number, width: number): string {
  return `tile/entries/${formatTileNumber(n)}${width === tileWidth ? '' : `.p/${width}`}`;
}

export type TilePath =
  | { readonly kind: 'tile'; readonly level: number; readonly n: number; readonly width: number }
  | { readonly kind: 'entries'; readonly n: number; readonly width: number };

/** Reads both kinds of path, one spelling each; undefined for anything else. `path`: no leading slash. */
export function parseTilePath(path: string): TilePath | undefined {
  // 2^53 tiles need 6 groups; the bound comes before the pattern.
  if (path.length > 64) return undefined;
  const match = /^tile\/(entries|0|[1-9][0-9]?)\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/.exec(path);
  if (match === null) return undefined;
  const [, kind = '', digits = '', partial] = match;
  const n = Number(digits.replaceAll('/', '').replaceAll('x', ''));
  const width = partial === undefined ? tileWidth : Number(partial);
  if (!Number.isSafeInteger(n) || formatTileNumber(n) !== digits) return undefined;
  if (partial !== undefined && width >= tileWidth) return undefined;
  if (kind === 'entries') return { kind: 'entries', n, width };
  const level = Number(kind);
  return level <= tileLevelMax ? { kind: 'tile', level, n, width } : undefined;
}

/**
 * Grows the tiles of a log leaf by leaf: keeps the unfinished tile of every level and hands out each tile when it is
 * full. It is a `TileStore` together with whoever keeps the full ones.
 */
export class TileWriter {
  readonly #hasher: TreeHasher;
  readonly #unfinished: Uint8Array[] = [];
  #size = 0;

  constructor(hasher: TreeHasher) {
    this.#hasher = hasher;
  }

  /**
   * Continues at `size`. `leaves`: hashes of the unfinished level-0 tile (size mod 256 of them); `full` reads the full
   * tiles, from which the unfinished tiles above are computed again (at most 255 tiles a level). `edge`: the first hashes
   * of a tile above level 0 that were kept without the tiles under them (a log that begins at a snapshot).
   * Throws LOG_TILE_MISSING when a tile is absent or `leaves` does not fit `size`.
   */
  static restore(
    hasher: TreeHasher,
    size: number,
    leaves: Uint8Array,
    full: (level: number, n: number) => Uint8Array | undefined,
    edge: (level: number, n: number) => Uint8Array | undefined = () => undefined,
  ): TileWriter {
    const writer = new TileWriter(hasher);
    if (leaves.length !== (size % tileWidth) * hashBytes) {
      throw new WeftError(
        'LOG_TILE_MISSING',
        `A log of ${size} leaves has ${size % tileWidth} in its unfinished tile, not ${leaves.length / hashBytes}.`,
      );
    }
    for (let level = 0; levelWidth(level, size) > 0; level += 1) {
      const width = levelWidth(level, size);
      const bytes = new Uint8Array(tileWidth * hashBytes);
      if (level === 0) bytes.set(leaves);
      else {
        const first = width - (width % tileWidth);
        const known = edge(level, first / tileWidth)?.subarray(0, (width % tileWidth) * hashBytes);
        if (known !== undefined) bytes.set(known);
        for (let n = first + (known?.length ?? 0) / hashBytes; n < width; n += 1) {
          const tile = full(level - 1, n);
          if (tile?.length !== tileWidth * hashBytes) {
            throw new WeftError(
              'LOG_TILE_MISSING',
              `Full tile ${formatTilePath({ level: level - 1, n, width: tileWidth })} is needed to continue the log and absent.`,
            );
          }
          bytes.set(tileRoot(hasher, tile), (n % tileWidth) * hashBytes);
        }
      }
      writer.#unfinished.push(bytes);
    }
    writer.#size = size;
    return writer;
  }

  get size(): number {
    return this.#size;
  }

  /**
   * Takes the next leaf hashes and returns the tiles that became full, in an order in which they may be stored. `roots`: of the level-0
   * tiles that become full, in order, from whoever has grown the tree by the same leaves (`Frontier.appendAll` at `tileHeight`); what is
   * missing is computed, 255 hashes a tile.
   */
  append(leafHashes: Iterable<Uint8Array>, roots: readonly Uint8Array[] = []): Tile[] {
    const completed: Tile[] = [];
    let full = 0;
    for (const leafHash of leafHashes) {
      if (this.#put(0, this.#size, leafHash)) {
        this.#complete(0, Math.floor(this.#size / tileWidth), completed, roots[full]);
        full += 1;
      }
      this.#size += 1;
    }
    return completed;
  }

  /**
   * `TileStore.unfinished`: the hashes that level has beyond its last full tile. A view whose bytes stay as they are while the log
   * grows: proofs read it hash by hash, and a copy for each of them was a fifth of all garbage.
   */
  unfinished(level: number): { readonly n: number; readonly bytes: Uint8Array } {
    const width = levelWidth(level, this.#size);
    const bytes = this.#unfinished[level] ?? new Uint8Array(0);
    return { n: Math.floor(width / tileWidth), bytes: bytes.subarray(0, (width % tileWidth) * hashBytes) };
  }

  /** True when the tile is full with this hash. */
  #put(level: number, index: number, hash: Uint8Array): boolean {
    let bytes = this.#unfinished[level];
    if (bytes === undefined) {
      bytes = new Uint8Array(tileWidth * hashBytes);
      this.#unfinished[level] = bytes;
    }
    bytes.set(hash, (index % tileWidth) * hashBytes);
    return index % tileWidth === tileWidth - 1;
  }

  #complete(level: number, n: number, completed: Tile[], root?: Uint8Array): void {
    const bytes = this.#unfinished[level] ?? new Uint8Array(0);
    // The full one is given away, and views of it are out: the next hashes go into a new one.
    this.#unfinished[level] = new Uint8Array(tileWidth * hashBytes);
    completed.push({ level, n, bytes });
    const isFull = this.#put(level + 1, n, root ?? tileRoot(this.#hasher, bytes));
    if (isFull) this.#complete(level + 1, Math.floor(n / tileWidth), completed);
  }
}
