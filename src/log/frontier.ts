import { WeftError } from '../codec/error.ts';
import { hashBytes, type TreeHasher } from './hasher.ts';

/** One perfect subtree of the right edge; `left` is the next larger one. Shared by every frontier grown from it. */
type Edge = { readonly level: number; readonly hash: Uint8Array; readonly left: Edge | undefined };

/**
 * The right edge of an RFC 6962 tree: all that is needed to append and to compute the root. Immutable: `append` gives a
 * new frontier that shares the old one's subtrees, so a block that is not finalized yet is a frontier and nothing else,
 * and dropping the block is dropping the reference.
 */
export class Frontier {
  /** Number of leaves. */
  readonly size: number;
  readonly #hasher: TreeHasher;
  readonly #edge: Edge | undefined;

  private constructor(hasher: TreeHasher, size: number, edge: Edge | undefined) {
    this.#hasher = hasher;
    this.size = size;
    this.#edge = edge;
  }

  static empty(hasher: TreeHasher): Frontier {
    return new Frontier(hasher, 0, undefined);
  }

  /**
   * `hashes`: roots of the perfect subtrees that make up `size`, largest (leftmost) first, as `hashes()` gives them.
   * Throws LOG_FRONTIER_INVALID when their number does not fit `size` or one is not 32 bytes.
   */
  static from(hasher: TreeHasher, size: number, hashes: readonly Uint8Array[]): Frontier {
    const levels = levelsOf(size);
    if (levels.length !== hashes.length) {
      throw new WeftError(
        'LOG_FRONTIER_INVALID',
        `A tree of ${size} leaves has ${levels.length} right-edge hashes, not ${hashes.length}; rebuild it from the tiles.`,
      );
    }
    let edge: Edge | undefined;
    for (const [position, level] of levels.entries()) {
      const hash = hashes[position];
      if (hash?.length !== hashBytes) {
        throw new WeftError('LOG_FRONTIER_INVALID', 'A right-edge hash is not 32 bytes; rebuild it from the tiles.');
      }
      edge = { level, hash, left: edge };
    }
    return new Frontier(hasher, size, edge);
  }

  /** `leafHash`: 32 bytes, as `TreeHasher.leafHash` gives it. Amortised one node hash. */
  append(leafHash: Uint8Array): Frontier {
    return this.appendAll([leafHash]);
  }

  /** `onSubtree`: is told of each perfect subtree of `subtreeLevel` (2^subtreeLevel leaves) that the new leaves complete, in order. */
  appendAll(leafHashes: Iterable<Uint8Array>, subtreeLevel = 0, onSubtree?: (root: Uint8Array) => void): Frontier {
    let size = this.size;
    let edge = this.#edge;
    for (const leafHash of leafHashes) {
      let hash = leafHash;
      let level = 0;
      while (edge !== undefined && edge.level === level) {
        hash = this.#hasher.nodeHash(edge.hash, hash);
        level += 1;
        edge = edge.left;
        if (level === subtreeLevel) onSubtree?.(hash);
      }
      edge = { level, hash, left: edge };
      size += 1;
    }
    return new Frontier(this.#hasher, size, edge);
  }

  root(): Uint8Array {
    if (this.#edge === undefined) return this.#hasher.emptyRoot;
    let hash = this.#edge.hash;
    for (let edge = this.#edge.left; edge !== undefined; edge = edge.left)
      hash = this.#hasher.nodeHash(edge.hash, hash);
    return hash;
  }

  /** Roots of the perfect subtrees, largest first: what a store keeps to continue after a restart. */
  hashes(): Uint8Array[] {
    const hashes: Uint8Array[] = [];
    for (let edge = this.#edge; edge !== undefined; edge = edge.left) hashes.push(edge.hash);
    return hashes.reverse();
  }
}

/** Levels of the perfect subtrees that make up a tree of `size` leaves, largest first: the one bits of `size`. */
export function levelsOf(size: number): number[] {
  const levels: number[] = [];
  let rest = size;
  for (let level = 0; rest > 0; level += 1) {
    if (rest % 2 === 1) levels.push(level);
    rest = Math.floor(rest / 2);
  }
  return levels.reverse();
}
