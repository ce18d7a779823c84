// Random uploads, proposals, approvals and hours: whatever comes of them, state holds what somebody still needs, and nothing else.
import fc from 'fast-check';
import t from 'tap';
import { documentOf, type PreviousPolicy, previousPolicyPath } from '../../contracts/governance/policySet.ts';
import { type Change, readAgenda, readPending, readPolicy } from '../../contracts/governance/state.ts';
import { TEXT_LIFETIME_MS, type TextValue } from '../../contracts/governance/texts.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { sha256Hex } from '../../src/crypto/hash.ts';
import { digestOfSet } from '../../src/policy/document.ts';
import type { PolicySetDocument } from '../../src/policy/types.ts';
import { proposeBody, threeMembers } from './governance.samples.ts';
import { type Network, openPolicy } from './network.ts';

const members = ['admin', 'femto', 'scanner'];
const texts = Array.from({ length: 6 }, (_, i) => `permit (principal, action, resource) when { ${i} == ${i} };`);
const schemas = [openPolicy.schema, `${openPolicy.schema}\nentity More;`];
const digestOf = (text: string): string => sha256Hex(encodeUtf8(text));

const by = fc.constantFrom(...members);
/** Counted from the newest proposal. */
const which = fc.nat(3);
const policy = fc
  .record({
    of: fc.subarray(texts, { minLength: 1 }),
    schema: fc.constantFrom(...schemas),
    ahead: fc.integer({ min: -2, max: 2 }),
  })
  .map(
    ({ of, schema, ahead }) =>
      (version: number): Change => ({
        kind: 'policy',
        schema: digestOf(schema),
        policies: of.map((text, i) => ({ id: `p${i}`, text: digestOf(text) })),
        minValid: Math.max(1, version + ahead),
      }),
  );
const pause = fc.boolean().map((paused) => (): Change => ({ kind: 'pause', paused }));
const council = fc
  .subarray(members, { minLength: 2 })
  .map((chosen) => (): Change => ({ kind: 'council', threshold: 2, members: chosen }));

const step = fc.oneof(
  {
    arbitrary: fc.record({ do: fc.constant('upload' as const), by, texts: fc.subarray([...texts, ...schemas]) }),
    weight: 6,
  },
  {
    arbitrary: fc.record({
      do: fc.constant('propose' as const),
      by,
      change: fc.oneof({ arbitrary: policy, weight: 8 }, pause, council),
      hours: fc.constantFrom(0.5, 3),
    }),
    weight: 6,
  },
  {
    arbitrary: fc.record({ do: fc.constant('approve' as const), which, by: fc.subarray(members, { minLength: 1 }) }),
    weight: 4,
  },
  fc.record({ do: fc.constant('withdraw' as const), which, by }),
  {
    arbitrary: fc.record({
      do: fc.constant('next' as const),
      ms: fc.constantFrom(1000, 1000, 1000, TEXT_LIFETIME_MS / 3),
    }),
    weight: 8,
  },
);
type Step = typeof step extends fc.Arbitrary<infer Of> ? Of : never;

function take(network: Network, ids: string[], each: Step): void {
  const proposal = 'which' in each ? (ids.at(-1 - each.which) ?? '00'.repeat(32)) : '';
  switch (each.do) {
    case 'upload':
      for (const text of each.texts) network.send(each.by, 'governance.text', { text });
      return;
    case 'propose': {
      const change = each.change(readPolicy(network.reader()).version);
      const options = { expires: network.block.time + each.hours * TEXT_LIFETIME_MS };
      const tx = network.transaction(each.by, 'governance.propose', proposeBody(network, change, options));
      if (network.execute(tx).refused === undefined) ids.push(tx.txId);
      return;
    }
    case 'approve':
      for (const member of each.by) network.send(member, 'governance.approve', { proposal });
      return;
    case 'withdraw':
      network.send(each.by, 'governance.withdraw', { proposal });
      return;
    case 'next':
      network.next(each.ms);
  }
}

/** @param time of the block that has just ended */
function checkState(network: Network, time: number): void {
  const { state } = network;
  const under = (prefix: string) =>
    [...state.keys()].filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length));
  const named = new Set<string>();
  for (const id of readAgenda(network.reader())) {
    const change = readPending(network.reader(), id)?.change;
    if (change?.kind !== 'policy') continue;
    for (const digest of [change.schema, ...change.policies.map(({ text }) => text)]) named.add(digest);
    if ('refused' in documentOf(network.reader(), change)) throw new Error('a proposal on the agenda lost a text');
  }
  const listed = new Map<string, string>();
  for (const account of under('governance/texts/')) {
    const held = state.get(`governance/texts/${account}`) as { texts: { text: string; expires: number }[] };
    if (held.texts.length === 0) throw new Error('an empty list');
    for (const { text, expires } of held.texts) {
      if (listed.has(text)) throw new Error('listed twice');
      if (expires <= time) throw new Error('listed and expired');
      listed.set(text, account);
    }
  }
  const owners = (state.get('governance/text-owners/current') as { accounts: string[] } | undefined)?.accounts ?? [];
  if (owners.join() !== under('governance/texts/').sort().join()) throw new Error('the owners');
  for (const digest of under('governance/text/')) {
    const { text, account, expires } = state.get(`governance/text/${digest}`) as TextValue;
    if (digestOf(text) !== digest) throw new Error('another text');
    if (expires > time && listed.get(digest) !== account) throw new Error('held, and not listed');
    if (expires <= time && !named.has(digest)) throw new Error('nobody needs it any more');
  }
  for (const digest of listed.keys())
    if (!state.has(`governance/text/${digest}`)) throw new Error('listed, and not held');
  const current = readPolicy(network.reader());
  const previous = state.get(previousPolicyPath) as PreviousPolicy | undefined;
  const sets = new Set([current.digest, ...(previous === undefined ? [] : [previous.digest])]);
  if (under('governance/policy-set/').sort().join() !== [...sets].sort().join()) throw new Error('two sets, and these');
  for (const digest of sets)
    if (digestOfSet(state.get(`governance/policy-set/${digest}`) as PolicySetDocument) !== digest)
      throw new Error('another set');
}

t.test('texts are there as long as they are needed, two sets are, and versions only grow', async (t) => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 80, size: 'max' }), (steps) => {
      const network = threeMembers();
      const ids: string[] = [];
      for (const each of steps) {
        const before = readPolicy(network.reader());
        const { time } = network.block;
        take(network, ids, each);
        const after = readPolicy(network.reader());
        const changed = JSON.stringify(before) !== JSON.stringify(after);
        if (changed && each.do !== 'next') throw new Error('before the end of the block');
        if (after.version !== before.version + (changed ? 1 : 0)) throw new Error('versions');
        if (after.minValid < before.minValid || after.minValid > after.version) throw new Error('minValid');
        if (each.do === 'next') checkState(network, time);
        const what = changed ? (after.digest === before.digest ? 'same set' : 'another set') : each.do;
        seen.set(what, (seen.get(what) ?? 0) + 1);
      }
    }),
    { numRuns: 40 },
  );
  t.ok((seen.get('another set') ?? 0) > 10, JSON.stringify([...seen]));
});
