/**
 * RFC 6962 §2.1 hashing. SHA-256 comes in as a parameter, so that the same code runs in Node (native hash) and in a
 * browser (noble) and no file here needs a `node:` module.
 */

/** SHA-256: any bytes in, 32 bytes out. Must not keep or change its argument. */
export type Hash = (bytes: Uint8Array) => Uint8Array;

export const hashBytes = 32;

export type TreeHasher = {
  readonly hash: Hash;
  /** SHA-256(0x00 ‖ entry). */
  leafHash(entry: Uint8Array): Uint8Array;
  /** SHA-256(0x01 ‖ left ‖ right); both 32 bytes. */
  nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array;
  /** Root of the tree of size 0: SHA-256 of nothing. */
  readonly emptyRoot: Uint8Array;
};

export function createTreeHasher(hash: Hash): TreeHasher {
  // One buffer for all inner nodes: `hash` is synchronous and keeps nothing, and an allocation costs as much as a hash.
  const node = new Uint8Array(1 + 2 * hashBytes);
  node[0] = 1;
  // The same for leaves; its first byte stays 0. As large as the largest leaf so far.
  let leaf = new Uint8Array(1024);
  return {
    hash,
    leafHash(entry) {
      if (leaf.length <= entry.length) leaf = new Uint8Array(2 * entry.length);
      leaf.set(entry, 1);
      return hash(leaf.subarray(0, 1 + entry.length));
    },
    nodeHash(left, right) {
      node.set(left, 1);
      node.set(right, 1 + hashBytes);
      return hash(node);
    },
    emptyRoot: hash(new Uint8Array(0)),
  };
}
