import { WeftError } from '../codec/error.ts';
import { fromHex, toHex } from '../codec/hex.ts';
import { equalBytes } from '../codec/utf8.ts';
import { type Hash, hashBytes } from './hasher.ts';
import { emptyStateHash, keyBit, type StateProof, stateLeafHash, stateNodeHash } from './stateTree.ts';

/** A key has 256 bits, so no path is longer. */
const stateSiblingsMax = 256;

/** JSON form (schemas/state-proof.schema.json): 64 lower-case hex digits a hash. */
export type StateProofJson = {
  /** From the root down; an empty sibling is 64 zeros. */
  readonly siblings: readonly string[];
  /** The leaf at the end of the path; null where there is none. Of another key when it proves absence. */
  readonly leaf: { readonly key: string; readonly valueHash: string } | null;
};

/**
 * What `proof` says about `key` under `root`: the hash of its value, or undefined when it proves that there is none.
 * Throws STATE_PROOF_INVALID when it proves neither.
 */
export function verifyStateProof(
  hash: Hash,
  root: Uint8Array,
  key: Uint8Array,
  proof: StateProof,
): Uint8Array | undefined {
  const { siblings, leaf } = proof;
  if (key.length !== hashBytes || root.length !== hashBytes) throw invalid('key and root have 32 bytes');
  if (siblings.length > stateSiblingsMax) throw invalid('it has more siblings than a key has bits');
  if (siblings.some((sibling) => sibling.length !== hashBytes)) throw invalid('a sibling is not 32 bytes');
  if (leaf !== undefined) {
    if (leaf.key.length !== hashBytes || leaf.valueHash.length !== hashBytes) throw invalid('the leaf is not 64 bytes');
    for (let depth = 0; depth < siblings.length; depth += 1) {
      if (keyBit(leaf.key, depth) !== keyBit(key, depth)) throw invalid('the leaf does not lie on the path of the key');
    }
  }
  // A subtree with a single leaf is that leaf, and one with none is empty: neither can hang beside nothing.
  const deepest = siblings.at(-1);
  if (deepest !== undefined && equalBytes(deepest, emptyStateHash)) throw invalid('the last sibling is empty');
  let computed = leaf === undefined ? emptyStateHash : stateLeafHash(hash, leaf);
  for (let depth = siblings.length - 1; depth >= 0; depth -= 1) {
    const sibling = siblings[depth] ?? emptyStateHash;
    computed =
      keyBit(key, depth) === 0 ? stateNodeHash(hash, computed, sibling) : stateNodeHash(hash, sibling, computed);
  }
  if (!equalBytes(computed, root)) throw invalid('it leads to another root');
  return leaf !== undefined && equalBytes(leaf.key, key) ? leaf.valueHash : undefined;
}

export function stateProofToJson({ siblings, leaf }: StateProof): StateProofJson {
  return {
    siblings: siblings.map(toHex),
    leaf: leaf === undefined ? null : { key: toHex(leaf.key), valueHash: toHex(leaf.valueHash) },
  };
}

/** Reads the JSON form, bounded, with no member beside those of the schema. Throws STATE_PROOF_INVALID. */
export function stateProofFromJson(value: unknown): StateProof {
  const proof = members(value, ['siblings', 'leaf']);
  const siblings = proof['siblings'];
  if (!Array.isArray(siblings) || siblings.length > stateSiblingsMax) {
    throw invalid(`siblings is not a list of at most ${stateSiblingsMax} hashes`);
  }
  if (proof['leaf'] === null) return { siblings: siblings.map(hashFrom), leaf: undefined };
  const leaf = members(proof['leaf'], ['key', 'valueHash']);
  return {
    siblings: siblings.map(hashFrom),
    leaf: { key: hashFrom(leaf['key']), valueHash: hashFrom(leaf['valueHash']) },
  };
}

function members(value: unknown, names: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('an object is expected');
  const found = Object.keys(value);
  if (found.length !== names.length || !names.every((name) => Object.hasOwn(value, name))) {
    throw invalid(`its members are ${names.join(' and ')}`);
  }
  return value as Readonly<Record<string, unknown>>;
}

function hashFrom(value: unknown): Uint8Array {
  if (typeof value !== 'string') throw invalid('a hash is not text');
  try {
    return fromHex(value, hashBytes);
  } catch {
    throw invalid('a hash is not 64 lower-case hex digits');
  }
}

function invalid(why: string): WeftError {
  return new WeftError('STATE_PROOF_INVALID', `The state proof proves nothing: ${why}.`);
}
