import { WeftError } from '../codec/error.ts';
import { equalBytes } from '../codec/utf8.ts';
import { hashBytes, type TreeHasher } from './hasher.ts';

/**
 * Root of the perfect subtree number `index` at `level`: MTH(D[index·2^level : (index+1)·2^level]). Must throw when it
 * is not stored (`tileHashReader` throws LOG_TILE_MISSING).
 */
export type NodeReader = (level: number, index: number) => Uint8Array;

/** A proof has at most one hash per level of a tree of 2^63 leaves (C2SP tlog-witness names the same bound). */
export const proofHashesMax = 63;

/** Root of D[begin:end] where `begin` is a multiple of a power of two that is at least `end - begin`. */
function rangeRoot(hasher: TreeHasher, read: NodeReader, begin: number, end: number): Uint8Array {
  const count = end - begin;
  const level = Math.log2(count);
  if (Number.isInteger(level) && 2 ** level === count) return read(level, begin / count);
  const split = splitOf(count);
  return hasher.nodeHash(rangeRoot(hasher, read, begin, begin + split), rangeRoot(hasher, read, begin + split, end));
}

/** The largest power of two below `count` (RFC 6962 §2.1, k). `count` ≥ 2. */
function splitOf(count: number): number {
  let split = 1;
  while (split * 2 < count) split *= 2;
  return split;
}

/** Root of the tree of `size` leaves, read from stored subtrees. */
export function rootFromNodes(hasher: TreeHasher, read: NodeReader, size: number): Uint8Array {
  return size === 0 ? hasher.emptyRoot : rangeRoot(hasher, read, 0, size);
}

/**
 * RFC 6962 §2.1.1: the siblings of leaf `index` in the tree of `size` leaves, leaf first.
 * Throws LOG_INDEX_OUT_OF_RANGE unless 0 ≤ index < size.
 */
export function inclusionProof(hasher: TreeHasher, read: NodeReader, index: number, size: number): Uint8Array[] {
  if (!isCount(index) || !isCount(size) || index >= size) {
    throw new WeftError('LOG_INDEX_OUT_OF_RANGE', `Leaf ${index} is not in a tree of ${size} leaves.`, { index, size });
  }
  const hashes: Uint8Array[] = [];
  let begin = 0;
  let end = size;
  while (end - begin > 1) {
    const middle = begin + splitOf(end - begin);
    if (index < middle) {
      hashes.push(rangeRoot(hasher, read, middle, end));
      end = middle;
    } else {
      hashes.push(rangeRoot(hasher, read, begin, middle));
      begin = middle;
    }
  }
  return hashes.reverse();
}

/**
 * RFC 6962 §2.1.2: that the tree of `newSize` leaves begins with the tree of `oldSize` leaves. Empty when both are one.
 * Throws LOG_INDEX_OUT_OF_RANGE unless 1 ≤ oldSize ≤ newSize.
 */
export function consistencyProof(hasher: TreeHasher, read: NodeReader, oldSize: number, newSize: number): Uint8Array[] {
  if (!isCount(oldSize) || !isCount(newSize) || oldSize < 1 || oldSize > newSize) {
    throw new WeftError('LOG_INDEX_OUT_OF_RANGE', `No consistency proof leads from size ${oldSize} to ${newSize}.`, {
      oldSize,
      newSize,
    });
  }
  const hashes: Uint8Array[] = [];
  let begin = 0;
  let end = newSize;
  // The verifier holds the old root, so the old tree itself is sent only once the descent has left it on the left.
  let known = true;
  while (oldSize !== end) {
    const middle = begin + splitOf(end - begin);
    if (oldSize <= middle) {
      hashes.push(rangeRoot(hasher, read, middle, end));
      end = middle;
    } else {
      hashes.push(rangeRoot(hasher, read, begin, middle));
      begin = middle;
      known = false;
    }
  }
  if (!known) hashes.push(rangeRoot(hasher, read, begin, end));
  return hashes.reverse();
}

export type Inclusion = {
  readonly index: number;
  readonly size: number;
  readonly leafHash: Uint8Array;
  /** Leaf's sibling first. */
  readonly hashes: readonly Uint8Array[];
  readonly root: Uint8Array;
};

/** RFC 9162 §2.1.3.2, with exactly as many hashes as the tree demands. Total: wrong shapes are `false`. */
export function verifyInclusion(hasher: TreeHasher, inclusion: Inclusion): boolean {
  const { index, size, leafHash, hashes, root } = inclusion;
  if (!isCount(index) || !isCount(size) || index >= size) return false;
  if (!isHash(leafHash) || !isHash(root) || hashes.length > proofHashesMax || !hashes.every(isHash)) return false;
  let node = index;
  let last = size - 1;
  let hash = leafHash;
  for (const sibling of hashes) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      hash = hasher.nodeHash(sibling, hash);
      // A right edge without a sibling at this level: go up to where it has one.
      while (node % 2 === 0 && node !== 0) {
        node = half(node);
        last = half(last);
      }
    } else {
      hash = hasher.nodeHash(hash, sibling);
    }
    node = half(node);
    last = half(last);
  }
  return last === 0 && equalBytes(hash, root);
}

export type Consistency = {
  readonly oldSize: number;
  readonly oldRoot: Uint8Array;
  readonly newSize: number;
  readonly newRoot: Uint8Array;
  readonly hashes: readonly Uint8Array[];
};

/** RFC 9162 §2.1.4.2, strict. Nothing is consistent with the empty tree here: a verifier starts from a real checkpoint. */
export function verifyConsistency(hasher: TreeHasher, consistency: Consistency): boolean {
  const { oldSize, oldRoot, newSize, newRoot, hashes } = consistency;
  if (!isCount(oldSize) || !isCount(newSize) || oldSize < 1 || oldSize > newSize) return false;
  if (!isHash(oldRoot) || !isHash(newRoot) || hashes.length > proofHashesMax || !hashes.every(isHash)) return false;
  if (oldSize === newSize) return hashes.length === 0 && equalBytes(oldRoot, newRoot);
  const path = isPowerOfTwo(oldSize) ? [oldRoot, ...hashes] : [...hashes];
  const seed = path.shift();
  if (seed === undefined || hashes.length === 0) return false;
  let node = oldSize - 1;
  let last = newSize - 1;
  while (node % 2 === 1) {
    node = half(node);
    last = half(last);
  }
  let oldHash = seed;
  let newHash = seed;
  for (const sibling of path) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      oldHash = hasher.nodeHash(sibling, oldHash);
      newHash = hasher.nodeHash(sibling, newHash);
      while (node % 2 === 0 && node !== 0) {
        node = half(node);
        last = half(last);
      }
    } else {
      newHash = hasher.nodeHash(newHash, sibling);
    }
    node = half(node);
    last = half(last);
  }
  return last === 0 && equalBytes(oldHash, oldRoot) && equalBytes(newHash, newRoot);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isHash(bytes: Uint8Array): boolean {
  return bytes.length === hashBytes;
}

/** Sizes go up to 2^53−1, beyond what bit operators hold. */
function half(value: number): number {
  return Math.floor(value / 2);
}

function isPowerOfTwo(value: number): boolean {
  let rest = value;
  while (rest % 2 === 0) rest /= 2;
  return rest === 1;
}
