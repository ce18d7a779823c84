import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import t from 'tap';
import { toHex } from '../../src/codec/hex.ts';
import { concat, encodeUtf8 } from '../../src/codec/utf8.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { stateProofFromJson, stateProofToJson, verifyStateProof } from '../../src/log/stateProof.ts';
import { keyBit, type StateProof, StateTree, stateKey } from '../../src/log/stateTree.ts';

type Content = ReadonlyMap<string, Uint8Array>;

/** The definition, word for word, over a list of leaves: shares nothing with the tree. */
function definedRoot(leaves: readonly (readonly [Uint8Array, Uint8Array])[], depth = 0): Uint8Array {
  const [only] = leaves;
  if (only === undefined) return new Uint8Array(32);
  if (leaves.length === 1) return sha256(concat(encodeUtf8('weft/leaf/v1'), only[0], only[1]));
  const side = (bit: 0 | 1) =>
    definedRoot(
      leaves.filter(([key]) => keyBit(key, depth) === bit),
      depth + 1,
    );
  return sha256(concat(encodeUtf8('weft/node/v1'), side(0), side(1)));
}

const value = (n: number) => sha256(Uint8Array.of(n));
const keyFrom = (text: string) => new Uint8Array(Buffer.from(text, 'hex'));
const rootOf = (content: Content) => definedRoot([...content].map(([key, hash]) => [keyFrom(key), hash]));

/** Keys that share long prefixes as often as they differ at once. */
const keys = fc
  .tuple(fc.constantFrom(0, 1, 128, 255), fc.constantFrom(0, 1, 2, 128), fc.constantFrom(0, 1))
  .map(([a, b, last]) => {
    const key = new Uint8Array(32).fill(a === 255 ? 255 : 0);
    key[0] = a;
    key[1] = b;
    key[31] = last;
    return key;
  });
const changes = fc.array(fc.tuple(keys, fc.option(fc.nat(200))), { maxLength: 12 });

function applied(content: Content, list: readonly (readonly [Uint8Array, number | null])[]): Map<string, Uint8Array> {
  const next = new Map(content);
  for (const [key, n] of list) {
    if (n === null) next.delete(toHex(key));
    else next.set(toHex(key), value(n));
  }
  return next;
}

t.test('root and content follow the definition, whatever the history', async () => {
  fc.assert(
    fc.property(fc.array(changes, { maxLength: 5 }), (batches) => {
      let tree = StateTree.empty(sha256);
      let single = tree;
      let content: Content = new Map();
      for (const batch of batches) {
        const before = { tree, root: toHex(tree.root()) };
        tree = tree.update(batch.map(([key, n]) => [key, n === null ? null : value(n)]));
        for (const [key, n] of batch) single = n === null ? single.delete(key) : single.set(key, value(n));
        content = applied(content, batch);
        const root = toHex(rootOf(content));
        if (toHex(tree.root()) !== root || toHex(single.root()) !== root) return false;
        if (tree.size !== content.size || single.size !== content.size) return false;
        if (toHex(before.tree.root()) !== before.root) return false;
        for (const [key, hash] of content)
          if (toHex(tree.get(keyFrom(key)) ?? new Uint8Array()) !== toHex(hash)) return false;
      }
      return true;
    }),
    { numRuns: 300 },
  );
});

t.test('presence and absence are proved, and nothing else', async () => {
  const flip = (hash: Uint8Array, at = 5) => hash.map((byte, i) => (i === at ? byte ^ 16 : byte));
  const refused = (root: Uint8Array, key: Uint8Array, proof: StateProof): boolean => {
    try {
      verifyStateProof(sha256, root, key, proof);
      return false;
    } catch (error) {
      return (error as { code?: string }).code === 'STATE_PROOF_INVALID';
    }
  };
  fc.assert(
    fc.property(changes, keys, fc.nat(), (list, key, pick) => {
      const content = applied(new Map(), list);
      const tree = StateTree.empty(sha256).update([...content].map(([k, hash]) => [keyFrom(k), hash]));
      const root = tree.root();
      const proof = tree.prove(key);
      const found = verifyStateProof(sha256, root, key, proof);
      const expected = content.get(toHex(key));
      if ((found === undefined) !== (expected === undefined) || (found && expected && toHex(found) !== toHex(expected)))
        return false;
      const again = stateProofFromJson(JSON.parse(JSON.stringify(stateProofToJson(proof))));
      if (JSON.stringify(again) !== JSON.stringify(proof)) return false;
      const { siblings, leaf } = proof;
      const at = siblings.length === 0 ? -1 : pick % siblings.length;
      return (
        refused(flip(root), key, proof) &&
        refused(root, key, { siblings: [...siblings, new Uint8Array(32)], leaf }) &&
        refused(root, key, { siblings: [...siblings, value(1)], leaf }) &&
        (at < 0 ||
          refused(root, key, { siblings: siblings.map((sibling, i) => (i === at ? flip(sibling) : sibling)), leaf })) &&
        (at < 0 || refused(root, key, { siblings: siblings.slice(1), leaf })) &&
        (leaf === undefined || refused(root, key, { siblings, leaf: undefined })) &&
        (leaf === undefined || refused(root, key, { siblings, leaf: { ...leaf, valueHash: flip(leaf.valueHash) } })) &&
        (leaf === undefined || refused(root, key, { siblings, leaf: { ...leaf, key: flip(leaf.key, 20) } })) &&
        (leaf !== undefined || refused(root, key, { siblings, leaf: { key, valueHash: value(0) } })) &&
        refused(root.subarray(1), key, proof) &&
        refused(root, key.subarray(1), proof)
      );
    }),
    { numRuns: 300 },
  );
});

t.test('thousands of keys at once', async (t) => {
  const many = Array.from({ length: 5000 }, (_, n) => [stateKey(sha256, `identity/account/a${n}`), value(n)] as const);
  const tree = StateTree.empty(sha256).update(many);
  t.equal(toHex(tree.root()), toHex(definedRoot(many)));
  t.equal(tree.size, 5000);
  t.equal(tree.update(many), tree, 'the same values make the same tree');
  t.equal(tree.delete(stateKey(sha256, 'identity/account/nobody')), tree);
  const emptied = tree.update(many.map(([key]) => [key, null]));
  t.equal(emptied.size, 0);
  t.same(emptied.root(), new Uint8Array(32));
  const shared = tree.set(many[0]![0], value(9));
  t.equal(toHex(shared.set(many[0]![0], many[0]![1]).root()), toHex(tree.root()));
});

t.test('of several changes to one key the last counts', async (t) => {
  const key = stateKey(sha256, 'a/b/c');
  const tree = StateTree.empty(sha256).update([
    [key, value(1)],
    [key, null],
    [key, value(2)],
  ]);
  t.same(tree.get(key), value(2));
  t.equal(
    tree.update([
      [key, value(3)],
      [key, null],
    ]).size,
    0,
  );
  t.throws(() => tree.set(new Uint8Array(31), value(1)), { code: 'STATE_KEY_INVALID' });
  t.throws(() => tree.set(key, new Uint8Array(33)), { code: 'STATE_KEY_INVALID' });
});

t.test('paths have three segments of plain characters', async (t) => {
  t.equal(stateKey(sha256, 'routing/table/current').length, 32);
  for (const bad of [
    '',
    'a',
    'a/b',
    'a/b/c/d',
    '/b/c',
    'a//c',
    'a/b/',
    'a/b/\u00e4',
    'a/b/c d',
    'a/b/c\n',
    `a/b/${'c'.repeat(300)}`,
  ]) {
    t.throws(() => stateKey(sha256, bad), { code: 'STATE_PATH_INVALID' }, JSON.stringify(bad));
  }
});

t.test('the JSON form is what its schema says', async (t) => {
  const schema = JSON.parse(readFileSync(new URL('../../schemas/state-proof.schema.json', import.meta.url), 'utf8'));
  const valid = new Ajv2020({ strict: true, formats: {} }).compile(schema);
  const hash = 'ab'.repeat(32);
  const tree = StateTree.empty(sha256).update([1, 2, 3].map((n) => [value(n), value(n)]));
  t.ok(valid(stateProofToJson(tree.prove(value(1)))));
  t.ok(valid(stateProofToJson(StateTree.empty(sha256).prove(value(1)))));
  for (const bad of [
    null,
    [],
    {},
    { siblings: [] },
    { siblings: [], leaf: undefined },
    { siblings: [], leaf: null, more: 1 },
    { siblings: 'x', leaf: null },
    { siblings: [hash.toUpperCase()], leaf: null },
    { siblings: [hash.slice(2)], leaf: null },
    { siblings: [7], leaf: null },
    { siblings: Array.from({ length: 257 }, () => hash), leaf: null },
    { siblings: [], leaf: { key: hash } },
    { siblings: [], leaf: { key: hash, valueHash: hash, more: 1 } },
    { siblings: [], leaf: [] },
  ]) {
    t.notOk(valid(JSON.parse(JSON.stringify(bad))), JSON.stringify(bad)?.slice(0, 60));
    t.throws(() => stateProofFromJson(bad), { code: 'STATE_PROOF_INVALID' });
  }
});
