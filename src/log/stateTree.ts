import { WeftError } from '../codec/error.ts';
import { encodeUtf8 } from '../codec/utf8.ts';
import { type Hash, hashBytes } from './hasher.ts';

/** Root of the empty tree, and the hash of every empty subtree. */
export const emptyStateHash: Uint8Array = new Uint8Array(hashBytes);
const emptyText = '\0'.repeat(hashBytes);

const leafTag = encodeUtf8('weft/leaf/v1');
const nodeTag = encodeUtf8('weft/node/v1');
const pathLengthMax = 256;

/**
 * A digest as this tree keeps it: one character a byte (`latin1`). Of ledger state each key has about four of them in memory, and a
 * string of 32 characters takes 48 bytes where an array of as many takes 270 and three objects of the collector's.
 */
export type DigestText = string;

/** SHA-256: any bytes in, 32 characters out. Must not keep or change its argument. */
export type TextHash = (bytes: Uint8Array) => DigestText;

/**
 * Hashes are filled in when the root is first asked for: of the many versions that a block's transactions make of a
 * subtree only the last is ever hashed.
 */
type Leaf = { readonly key: DigestText; readonly valueHash: DigestText; hash: DigestText | undefined };
type Branch = { readonly left: Node; readonly right: Node; hash: DigestText | undefined };
type Node = Leaf | Branch | undefined;

/** `prefix`: the first four bytes of the key as a number, by which almost all comparisons are decided. */
type Change = { readonly key: DigestText; readonly valueHash: DigestText | null; readonly prefix: number };

export type StateLeaf = { readonly key: Uint8Array; readonly valueHash: Uint8Array };

/** Siblings from the root down and the leaf found there; no leaf where the subtree is empty. */
export type StateProof = { readonly siblings: readonly Uint8Array[]; readonly leaf: StateLeaf | undefined };

/**
 * SHA-256(path). A path is `contract/kind/id`: three segments of `A-Za-z0-9._-`, at most 256 characters.
 * Throws STATE_PATH_INVALID.
 */
export function stateKey(hash: Hash, path: string): Uint8Array {
  checkPath(path);
  return hash(encodeUtf8(path));
}

/** The same as text. `hash`: of the UTF-8 of a text, which for a path is its own characters. Throws STATE_PATH_INVALID. */
export function stateKeyText(hash: (text: string) => DigestText, path: string): DigestText {
  checkPath(path);
  return hash(path);
}

function checkPath(path: string): void {
  if (path.length > pathLengthMax || !/^[A-Za-z0-9._-]+\/[A-Za-z0-9._-]+\/[A-Za-z0-9._-]+$/.test(path)) {
    throw new WeftError('STATE_PATH_INVALID', 'A state path is contract/kind/id, each of A-Z a-z 0-9 . _ -');
  }
}

/** H("weft/leaf/v1" ‖ key ‖ H(value)). */
export function stateLeafHash(hash: Hash, { key, valueHash }: StateLeaf): Uint8Array {
  return hash(pairOf(leafTag, key, valueHash));
}

/** H("weft/node/v1" ‖ left ‖ right). */
export function stateNodeHash(hash: Hash, left: Uint8Array, right: Uint8Array): Uint8Array {
  return hash(pairOf(nodeTag, left, right));
}

// Both tags have 12 bytes. One buffer for all: `hash` is synchronous and keeps nothing, and a block hashes thousands.
const pair = new Uint8Array(leafTag.length + 2 * hashBytes);

function pairOf(tag: Uint8Array, first: Uint8Array, second: Uint8Array): Uint8Array {
  pair.set(tag);
  pair.set(first, tag.length);
  pair.set(second, tag.length + hashBytes);
  return pair;
}

function pairOfTexts(tag: Uint8Array, first: DigestText, second: DigestText): Uint8Array {
  pair.set(tag);
  for (let i = 0; i < hashBytes; i += 1) pair[tag.length + i] = first.charCodeAt(i);
  for (let i = 0; i < hashBytes; i += 1) pair[tag.length + hashBytes + i] = second.charCodeAt(i);
  return pair;
}

function textOf(digest: Uint8Array): DigestText {
  return String.fromCharCode(...digest);
}

function bytesOf(digest: DigestText): Uint8Array {
  const bytes = new Uint8Array(digest.length);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = digest.charCodeAt(i);
  return bytes;
}

/** Bit `depth` of a key, the most significant bit of its first byte first. */
export function keyBit(key: Uint8Array, depth: number): 0 | 1 {
  return (((key[depth >> 3] ?? 0) >> (7 - (depth & 7))) & 1) as 0 | 1;
}

function textBit(key: DigestText, depth: number): 0 | 1 {
  return ((key.charCodeAt(depth >> 3) >> (7 - (depth & 7))) & 1) as 0 | 1;
}

/**
 * The sparse Merkle tree of ledger state: 32-byte key → 32-byte hash of the value; a subtree with a single leaf is that
 * leaf. Immutable: every update gives a new tree that shares what did not change, so that the state of each block that
 * is not finalized yet costs only what it changed. Its root depends on the content alone, never on the order of changes.
 */
export class StateTree {
  readonly #hash: TextHash;
  readonly #top: Node;
  /** Number of keys. */
  readonly size: number;

  private constructor(hash: TextHash, top: Node, size: number) {
    this.#hash = hash;
    this.#top = top;
    this.size = size;
  }

  /** `text`: the same hash, where there is one that gives text at once. */
  static empty(hash: Hash, text: TextHash = (bytes) => textOf(hash(bytes))): StateTree {
    return new StateTree(text, undefined, 0);
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
  update(
    changes: Iterable<readonly [key: Uint8Array | DigestText, valueHash: Uint8Array | DigestText | null]>,
  ): StateTree {
    const sorted: Change[] = [];
    for (const [givenKey, givenHash] of changes) {
      if (givenKey.length !== hashBytes || (givenHash !== null && givenHash.length !== hashBytes)) {
        throw new WeftError('STATE_KEY_INVALID', 'Keys and value hashes of the state tree have 32 bytes.');
      }
      const key = typeof givenKey === 'string' ? givenKey : textOf(givenKey);
      const valueHash = givenHash === null || typeof givenHash === 'string' ? givenHash : textOf(givenHash);
      sorted.push({ key, valueHash, prefix: prefixOf(key) });
    }
    sorted.sort((a, b) => a.prefix - b.prefix || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    const unique = sorted.filter((change, position) => change.key !== sorted[position + 1]?.key);
    const counter = { added: 0 };
    const top = change(this.#top, unique, 0, unique.length, 0, counter);
    return top === this.#top ? this : new StateTree(this.#hash, top, this.size + counter.added);
  }

  get(key: Uint8Array): Uint8Array | undefined {
    let node = this.#top;
    for (let depth = 0; node !== undefined && 'left' in node; depth += 1) {
      node = keyBit(key, depth) === 0 ? node.left : node.right;
    }
    return node !== undefined && node.key === textOf(key) ? bytesOf(node.valueHash) : undefined;
  }

  root(): Uint8Array {
    return bytesOf(this.#hashOf(this.#top));
  }

  /** Proof that `key` has its value, or that it has none. */
  prove(key: Uint8Array): StateProof {
    const siblings: Uint8Array[] = [];
    let node = this.#top;
    for (let depth = 0; node !== undefined && 'left' in node; depth += 1) {
      const right = keyBit(key, depth) === 1;
      siblings.push(bytesOf(this.#hashOf(right ? node.left : node.right)));
      node = right ? node.right : node.left;
    }
    const leaf = node && { key: bytesOf(node.key), valueHash: bytesOf(node.valueHash) };
    return { siblings, leaf };
  }

  #hashOf(node: Node): DigestText {
    if (node === undefined) return emptyText;
    node.hash ??= this.#hash(
      'left' in node
        ? pairOfTexts(nodeTag, this.#hashOf(node.left), this.#hashOf(node.right))
        : pairOfTexts(leafTag, node.key, node.valueHash),
    );
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
  if (only !== undefined && (node === undefined || (!('left' in node) && node.key === only.key))) {
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
  if (node !== undefined && node.valueHash === valueHash) return node;
  if (node === undefined) counter.added += 1;
  return { key, valueHash, hash: undefined };
}

function pushDown(leaf: Leaf, depth: number): Branch {
  const right = textBit(leaf.key, depth) === 1;
  return { left: right ? undefined : leaf, right: right ? leaf : undefined, hash: undefined };
}

/** Keeps the one form that a content has: nothing is empty, one leaf is itself, everything else is a branch. */
function join(left: Node, right: Node, before: Branch | undefined): Node {
  if (left === undefined && (right === undefined || !('left' in right))) return right;
  if (right === undefined && left !== undefined && !('left' in left)) return left;
  if (before !== undefined && before.left === left && before.right === right) return before;
  return { left, right, hash: undefined };
}

/** First position in the sorted `changes[from:to]` whose key has bit `depth` set. */
function firstRight(changes: readonly Change[], from: number, to: number, depth: number): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >> 1;
    const at = changes[middle];
    if (at !== undefined && textBit(at.key, depth) === 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function prefixOf(key: DigestText): number {
  const high = (key.charCodeAt(0) << 8) | key.charCodeAt(1);
  return high * 0x1_0000 + ((key.charCodeAt(2) << 8) | key.charCodeAt(3));
}
