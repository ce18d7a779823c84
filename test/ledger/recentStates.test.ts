// State of the newest finalized blocks: values and proofs of each as they were, and no more than the bounds.
import t from 'tap';
import type { Json } from '../../contracts/types.ts';
import { canonicalJson } from '../../src/codec/canonical.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import type { Header } from '../../src/ledger/header.ts';
import { CommittedState, type Executed, type Position } from '../../src/ledger/overlay.ts';
import { RecentStates } from '../../src/ledger/recentStates.ts';
import { StateWrites } from '../../src/ledger/stateValue.ts';
import { verifyStateProof } from '../../src/log/stateProof.ts';
import { StateTree, stateKey } from '../../src/log/stateTree.ts';

/** A chain of nothing but state. */
function chain() {
  const ground = new CommittedState();
  let tree = StateTree.empty(sha256);
  let height = 0;
  const position = (): Position => ({ header: { height, logSize: 1 + 3 * height } as Header, tree }) as Position;
  const states = new RecentStates(ground, position());
  const block = (changes: Record<string, Json | null>): { size: number; root: Uint8Array } => {
    const writes = new StateWrites().add(new Map(Object.entries(changes)));
    tree = tree.update(writes.hashes());
    height += 1;
    states.add({ ...position(), writes } as unknown as Executed);
    ground.apply(writes.values);
    return { size: 1 + 3 * height, root: tree.root() };
  };
  return { states, block };
}

t.test('each block answers with what it held', async (t) => {
  const { states, block } = chain();
  const wanted: { size: number; root: Uint8Array; value: Json | undefined }[] = [];
  const history: (Json | null | undefined)[] = [{ n: 1 }, undefined, { n: 2 }, null, undefined, { n: 1 }, null];
  let value: Json | undefined;
  for (const change of history) {
    const made = block({ 'x/y/other': { at: wanted.length }, ...(change === undefined ? {} : { 'x/y/z': change }) });
    if (change !== undefined) value = change ?? undefined;
    wanted.push({ ...made, value });
  }
  for (const { size, root, value } of wanted) {
    const [found, other, none] = states.prove(size, ['x/y/z', 'x/y/other', 'x/y/none'])!;
    t.strictSame(found!.value, value, `size ${size}`);
    for (const { path, value, proof } of [found!, other!, none!]) {
      const proven = verifyStateProof(sha256, root, stateKey(sha256, path), proof);
      t.strictSame(proven, value === undefined ? undefined : sha256(encodeUtf8(canonicalJson(value))), path);
    }
  }
  t.strictSame(states.prove(1, ['x/y/z'])?.[0]?.value, undefined, 'where it began');
  t.equal(states.prove(2, ['x/y/z']), undefined, 'no block ended there');
  t.throws(() => states.prove(wanted[0]!.size, ['nowhere']), { code: 'STATE_PATH_INVALID' });
});

t.test('64 states, and fewer when they are large', async (t) => {
  const { states, block } = chain();
  const sizes = Array.from({ length: 200 }, (_, n) => block({ 'x/y/z': { n } }).size);
  const held = sizes.filter((size) => states.prove(size, ['x/y/z']) !== undefined);
  t.same(held, sizes.slice(-64));
  t.same(
    held.map((size) => states.prove(size, ['x/y/z'])![0]!.value),
    Array.from({ length: 64 }, (_, n) => ({ n: 136 + n })),
  );
  const large = chain();
  const big = 'x'.repeat(1024 * 1024);
  const bigSizes = Array.from({ length: 60 }, (_, n) => large.block({ 'x/y/z': { n, big } }).size);
  const kept = bigSizes.filter((size) => large.states.prove(size, ['x/y/z']) !== undefined);
  t.ok(kept.length >= 30 && kept.length <= 33, `${kept.length} of a megabyte each`);
  t.same(kept, bigSizes.slice(-kept.length));
});
