import { WeftError } from '../codec/error.ts';
import { encodeUtf8, equalBytes } from '../codec/utf8.ts';
import { type Hash, hashBytes } from './hasher.ts';

/** Root of the empty tree, and the hash of every empty subtree. */
export const emptyStateHash: Uint8Array = new Uint8Array(hashBytes);

const leafTag = encodeUtf8('weft/leaf/v1');
const nodeTag = encodeUtf8('weft/node/v1');
const pathLengthMax = 256;

/**
 * Hashes are filled in when the root is first asked for: of the many versions that a block's transactions make of a
 * subtree only the last is ever hashed.
 */
type Leaf = { readonly key: Uint8Array; readonly valueHash: Uint8Array; hash?: Uint8Array };
type Branch = { readonly left: Node; readonly right: Node; hash?: Uint8Array };
type Node = Leaf | Branch | undefined;

/** `prefix`: the first four bytes of the key as a number, by which almost all comparisons are decided. */
type Change = { readonly key: Uint8Array; readonly valueHash: Uint8Array | null; readonly prefix: number };

export type StateLeaf = { readonly key: Uint8Array; readonly valueHash: Uint8Array };

/** Siblings from the root down and the leaf found there; no leaf where the subtree is empty. */
export type StateProof = { readonly siblings: readonly Uint8Array[]; readonly leaf: StateLeaf | undefined };

/**
 * SHA-256(path). A path is `contract/kind/id`: three segments of `A-Za-z0-9._-`, at most 256 characters.
 * Throws STATE_PATH_INVALID.
 */
export function stateKey(hash: Hash, path: string): Uint8Array {
  if (path.length > pathLengthMax || !/^[A-Za-z0-9._-]+\/[A-Za-z0-9._-]+\/[A-Za-z0-9._-]+$/.test(path)) {
    throw new WeftError('STATE_PATH_INVALID', 'A state path is contract/kind/id, each of A-Z a-z 0-9 . _ -');
  }
  return hash(encodeUtf8(path));
}

/** H("weft/leaf/v1" ‖ key ‖ H(value)). */
export function stateLeafHash(hash: Hash, { key, valueHash }: StateLeaf): Uint8Array {
  return hashPair(hash, leafTag, key, valueHash);
}

/** H("weft/node/v1" ‖ left ‖ right). */
export function stateNodeHash(hash: Hash, left: Uint8Array, right: Uint8Array): Uint8Array {
  return hashPair(hash, nodeTag, left, right);
}

// Both tags have 12 bytes. One buffer for all: `hash` is synchronous and keeps nothing, and a block hashes thousands.
const pair = new Uint8Array(leafTag.length + 2 * hashBytes);

function hashPair(hash: Hash, tag: Uint8Array, first: Uint8Array, second: Uint8Array): Uint8Array {
  pair.set(tag);
  pair.set(first, tag.length);
  pair.set(second, tag.length + hashBytes);
  return hash(pair);
}

/** Bit `depth` of a key, the most significant bit of its first byte first. */
export function keyBit(key: Uint8Array, depth: number): 0 | 1 {
  return (((key[depth >> 3] ?? 0) >> (7 - (depth & 7))) & 1) as 0 | 1;
}

/**
 * The sparse Merkle tree of ledger state: 32-byte key → 32-byte hash of the value; a subtree with a single leaf is that
 * leaf. Immutable: every update gives a new tree that shares what did not change, so that the state of each block that
 * is not finalized yet costs only what it changed. Its root depends on the content alone, never on the order of changes.
 */
export class StateTree {
  readonly #hash: Hash;
  readonly #top: Node;
  /** Number of keys. */
  readonly size: number;

  private constructor(hash: Hash, top: Node, size: number) {
    this.#hash = hash;
    this.#top = top;
    this.size = size;
  }

  static empty(hash: Hash): StateTree {
    return new StateTree(hash, undefined, 0);
  }

  set(key: Uint8Array, valueHash: Uint8Array): StateTree {
    return this.update([[key, valueHash]]);
  }

  delete(key: Uint8Array): StateTree {
    return this.update([[key, null]]);
  }

  /**
   * All changes at once (null deletes; the last of several for one key counts): each touched node is made once.
   * Throws STATE_KEY_INVALID when a key or value hash is not 32 bytes.
   */
  update(changes: Iterable<readonly [key: Uint8Array, valueHash: Uint8Array | null]>): StateTree {
    const sorted: Change[] = [];
    for (const [key, valueHash] of changes) {
      if (key.length !== hashBytes || (valueHash !== null && valueHash.length !== hashBytes)) {
        throw new WeftError('STATE_KEY_INVALID', 'Keys and value hashes of the state tree have 32 bytes.');
      }
      sorted.push({ key, valueHash, prefix: prefixOf(key) });
    }
    sorted.sort((a, b) => a.prefix - b.prefix || compareBytes(a.key, b.key));
    const unique = sorted.filter((change, position) => {
      const next = sorted[position + 1];
      return next === undefined || !equalBytes(change.key, next.key);
    });
    const counter = { added: 0 };
    const top = change(this.#top, unique, 0, unique.length, 0, counter);
    return top === this.#top ? this : new StateTree(this.#hash, top, this.size + counter.added);
  }

  get(key: Uint8Array): Uint8Array | undefined {
    let node = this.#top;
    for (let depth = 0; node !== undefined && 'left' in node; depth += 1) {
      node = keyBit(key, depth) === 0 ? node.left : node.right;
    }
    return node !== undefined && equalBytes(node.key, key) ? node.valueHash : undefined;
  }

  root(): Uint8Array {
    return this.#hashOf(this.#top);
  }

  /** Proof that `key` has its value, or that it has none. */
  prove(key: Uint8Array): StateProof {
    const siblings: Uint8Array[] = [];
    let node = this.#top;
    for (let depth = 0; node !== undefined && 'left' in node; depth += 1) {
      const right = keyBit(key, depth) === 1;
      siblings.push(this.#hashOf(right ? node.left : node.right));
      node = right ? node.right : node.left;
    }
    return { siblings, leaf: node === undefined ? undefined : { key: node.key, valueHash: node.valueHash } };
  }

  #hashOf(node: Node): Uint8Array {
    if (node === undefined) return emptyStateHash;
    node.hash ??=
      'left' in node
        ? stateNodeHash(this.#hash, this.#hashOf(node.left), this.#hashOf(node.right))
        : stateLeafHash(this.#hash, node);
    return node.hash;
  }
}

/** The subtree `node` at `depth` after `changes[from:to]`, which all lie in it. The same object when nothing changed. */
function change(
  node: Node,
  changes: readonly Change[],
  from: number,
  to: number,
  depth: number,
  counter: { added: number },
): Node {
  if (from === to) return node;
  const only = to - from === 1 ? changes[from] : undefined;
  if (only !== undefined && (node === undefined || (!('left' in node) && equalBytes(node.key, only.key)))) {
    return replaceLeaf(node, only, counter);
  }
  // A leaf that stood for the whole subtree moves down with the changes that now share it.
  const split = node === undefined || 'left' in node ? node : pushDown(node, depth);
  const middle = firstRight(changes, from, to, depth);
  const left = change(split?.left, changes, from, middle, depth + 1, counter);
  const right = change(split?.right, changes, middle, to, depth + 1, counter);
  return join(left, right, split);
}

function replaceLeaf(node: Leaf | undefined, { key, valueHash }: Change, counter: { added: number }): Node {
  if (valueHash === null) {
    if (node !== undefined) counter.added -= 1;
    return undefined;
  }
  if (node !== undefined && equalBytes(node.valueHash, valueHash)) return node;
  if (node === undefined) counter.added += 1;
  return { key, valueHash };
}

function pushDown(leaf: Leaf, depth: number): Branch {
  return keyBit(leaf.key, depth) === 0 ? { left: leaf, right: undefined } : { left: undefined, right: leaf };
}

/** Keeps the one form that a content has: nothing is empty, one leaf is itself, everything else is a branch. */
function join(left: Node, right: Node, before: Branch | undefined): Node {
  if (left === undefined && (right === undefined || !('left' in right))) return right;
  if (right === undefined && left !== undefined && !('left' in left)) return left;
  if (before !== undefined && before.left === left && before.right === right) return before;
  return { left, right };
}

/** First position in the sorted `changes[from:to]` whose key has bit `depth` set. */
function firstRight(changes: readonly Change[], from: number, to: number, depth: number): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >> 1;
    const at = changes[middle];
    if (at !== undefined && keyBit(at.key, depth) === 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function prefixOf(key: Uint8Array): number {
  return (((key[0] ?? 0) << 24) | ((key[1] ?? 0) << 16) | ((key[2] ?? 0) << 8) | (key[3] ?? 0)) >>> 0;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < hashBytes; i += 1) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
