import { hashBytes, type TreeHasher } from './hasher.ts';

const hashesOfTile = 256;
/** Smaller subtrees are hashed again: seven hashes at most. */
const smallest = 8;
/** Of 128, 64, 32, 16 and 8 hashes. */
const nodesOfTile = hashesOfTile / (smallest / 2) - 2;
const tilesMax = 256;

type Kept = { readonly hashes: Uint8Array; readonly known: Uint8Array };

/**
 * Roots of subtrees within tiles that proofs come back to: the tiles above the leaves, which are few, and the unfinished ones at the
 * right edge, which are in every proof. A proof needs 247 hashes of each of its tiles without, and four with. 2 KB a tile, at most
 * 256 tiles; who was not asked for the longest goes first. A subtree that is complete never changes, so nothing here becomes old.
 */
export class InnerNodes {
  readonly #hasher: TreeHasher;
  readonly #tiles = new Map<string, Kept>();

  constructor(hasher: TreeHasher) {
    this.#hasher = hasher;
  }

  /** Root over `count` (a power of two) hashes of the tile `bytes` from hash number `first` on. */
  root(level: number, n: number, bytes: Uint8Array, first: number, count: number): Uint8Array {
    return count < smallest
      ? subtreeRoot(this.#hasher, bytes, first, count)
      : this.#root(this.#kept(level, n), bytes, first, count);
  }

  #root(kept: Kept, bytes: Uint8Array, first: number, count: number): Uint8Array {
    if (count < smallest) return subtreeRoot(this.#hasher, bytes, first, count);
    const place = hashesOfTile / count - 2 + first / count;
    const at = place * hashBytes;
    if (kept.known[place] === 1) return kept.hashes.slice(at, at + hashBytes);
    const half = count / 2;
    const hash = this.#hasher.nodeHash(
      this.#root(kept, bytes, first, half),
      this.#root(kept, bytes, first + half, half),
    );
    kept.hashes.set(hash, at);
    kept.known[place] = 1;
    return hash;
  }

  #kept(level: number, n: number): Kept {
    const id = `${level}/${n}`;
    const found = this.#tiles.get(id);
    if (found !== undefined) {
      this.#tiles.delete(id);
      this.#tiles.set(id, found);
      return found;
    }
    const kept = { hashes: new Uint8Array(nodesOfTile * hashBytes), known: new Uint8Array(nodesOfTile) };
    if (this.#tiles.size >= tilesMax)
      for (const oldest of this.#tiles.keys()) {
        this.#tiles.delete(oldest);
        break;
      }
    this.#tiles.set(id, kept);
    return kept;
  }
}

/** Root of the perfect subtree over `count` (a power of two) hashes of `bytes` from hash number `first` on. */
export function subtreeRoot(hasher: TreeHasher, bytes: Uint8Array, first: number, count: number): Uint8Array {
  if (count === 1) return bytes.slice(first * hashBytes, (first + 1) * hashBytes);
  if (count === 2) {
    const at = first * hashBytes;
    return hasher.nodeHash(bytes.subarray(at, at + hashBytes), bytes.subarray(at + hashBytes, at + 2 * hashBytes));
  }
  const middle = count / 2;
  return hasher.nodeHash(subtreeRoot(hasher, bytes, first, middle), subtreeRoot(hasher, bytes, first + middle, middle));
}
