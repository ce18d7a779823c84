// Random proposals, words of validators, approvals, suspensions: whatever comes of them, some things always hold.
import fc from 'fast-check';
import t from 'tap';
import type { EpochValue } from '../../contracts/governance/epochs.ts';
import { guiltOf } from '../../contracts/governance/evidence.ts';
import { wrongWithSet } from '../../contracts/governance/nodeSet.ts';
import { AGENDA_MAX, type Change, type Governed, readGoverned, readPending } from '../../contracts/governance/state.ts';
import type { Applied } from '../../contracts/types.ts';
import { validate } from '../../schemas/validators.ts';
import { fromBase64, toBase64 } from '../../src/codec/base64.ts';
import { entry, proposeBody, readyBody, sampleCosignature, sampleVote, threeMembers } from './governance.samples.ts';
import { genesisDocument, keyOf, type Network } from './network.ts';

const { consensus: parameters } = genesisDocument();
const people = ['admin', 'femto', 'scanner', 'v1', 'v2', 'v3', 'v4', 'v5', 'v6', 'v7'];
const validators = ['v1', 'v2', 'v3', 'v4', 'v5', 'v6', 'v7'];
const nodes = [...validators, 'o1', 'o2'];

const some = (from: readonly string[], maxLength: number, minLength = 0) =>
  fc.uniqueArray(fc.constantFrom(...from), { minLength, maxLength }).map((list) => list.sort());

const change = fc.oneof(
  {
    arbitrary: fc.tuple(some(validators, 3), some(validators, 1), fc.nat(2)).map(
      ([names, remove, generation]): Change => ({
        kind: 'validators',
        set: names.map((name) => entry(name, generation)),
        remove,
      }),
    ),
    weight: 5,
  },
  fc.tuple(some(nodes, 1), some(nodes, 1)).map(
    ([names, remove]): Change => ({
      kind: 'observers',
      set: names.map((name) => ({ name, peer: entry(name).peer })),
      remove,
    }),
  ),
  fc.nat(3).map((n): Change => ({ kind: 'parameters', parameters: { ...parameters, fetchMs: 1000 + n } })),
  fc.integer({ min: 1, max: 5 }).map((ruleset): Change => ({ kind: 'ruleset', ruleset })),
  fc
    .tuple(some(people, 4, 1), fc.integer({ min: 1, max: 3 }))
    .map(([members, threshold]): Change => ({ kind: 'council', threshold, members })),
);

const by = fc.constantFrom(...people);
/** Counted from the newest proposal. */
const which = fc.nat(3);
const step = fc.oneof(
  {
    arbitrary: fc.record({
      do: fc.constant('propose' as const),
      by,
      change,
      notBefore: fc.nat(3),
      ms: fc.constantFrom(1500, 60_000),
    }),
    weight: 5,
  },
  { arbitrary: fc.record({ do: fc.constant('ready' as const), which }), weight: 4 },
  { arbitrary: fc.record({ do: fc.constant('approve' as const), which, by: fc.subarray(people) }), weight: 5 },
  { arbitrary: fc.record({ do: fc.constant('next' as const) }), weight: 5 },
  // The whole way, so that some changes do take effect.
  { arbitrary: fc.record({ do: fc.constant('pass' as const), which }), weight: 5 },
  fc.record({ do: fc.constant('withdraw' as const), which, by }),
  fc.record({ do: fc.constantFrom('suspend' as const, 'resume' as const, 'revoke' as const), by, account: by }),
);
type Step = typeof step extends fc.Arbitrary<infer Of> ? Of : never;

/** Does it, and answers what the end of a block did. */
function take(network: Network, ids: string[], each: Step): Applied | undefined {
  const proposal = 'which' in each ? (ids.at(-1 - each.which) ?? '00'.repeat(32)) : '';
  switch (each.do) {
    case 'next':
      return network.next();
    case 'pass':
      take(network, ids, { do: 'ready', which: each.which });
      take(network, ids, { do: 'approve', which: each.which, by: people });
      return undefined;
    case 'propose': {
      const { height, time } = network.block;
      const options = { notBefore: height + each.notBefore, expires: time + each.ms };
      const tx = network.transaction(each.by, 'governance.propose', proposeBody(network, each.change, options));
      if (network.execute(tx).refused === undefined) ids.push(tx.txId);
      return undefined;
    }
    case 'ready': {
      const pending = readPending(network.reader(), proposal);
      const set = pending?.change.kind === 'validators' ? pending.change.set : [];
      for (const { name, vote } of new Map(
        [...readGoverned(network.reader()).validators, ...set].map((validator) => [validator.name, validator]),
      ).values()) {
        const generation = [0, 1, 2].find((n) => entry(name, n).vote === vote) ?? 0;
        network.send(name, 'governance.ready', readyBody(network, proposal, name, { generation }));
      }
      return undefined;
    }
    case 'approve':
      for (const member of each.by) network.send(member, 'governance.approve', { proposal });
      return undefined;
    case 'withdraw':
      network.send(each.by, 'governance.withdraw', { proposal });
      return undefined;
    default: {
      const { account } = each;
      const more = each.do === 'revoke' ? { keyid: keyOf(account).keyid } : {};
      network.send(each.by, `identity.${each.do}`, { account, reason: '', ...more });
      return undefined;
    }
  }
}

/** All that decides about blocks. */
const decisive = ({ validators: set, parameters: p, ruleset }: Governed) =>
  JSON.stringify([set.map(({ url, ...keys }) => keys), p, ruleset]);

function checkEnd(network: Network, { records }: Applied, before: Governed, after: Governed, epoch: number): void {
  for (const record of records) {
    const wrong = validate(`record/${String(record['type'])}`, record);
    if (wrong !== undefined) throw new Error(`${String(record['type'])}: ${wrong}`);
  }
  const ends = records.filter((record) => record['type'] === 'epoch').length;
  if (ends !== (decisive(before) === decisive(after) ? 0 : 1))
    throw new Error('one epoch record for the end of an epoch');
  if (ends === 1 && records.at(-1)?.['type'] !== 'epoch') throw new Error('the epoch record is the last');
  if (network.state.has(`governance/epoch/${epoch + 1}`) !== (ends === 1)) throw new Error('state knows the epoch');
}

function checkState(network: Network, { validators: set, observers, council }: Governed): void {
  const facts = {
    origin: `${network.chain}/weft`,
    hasAccount: (name: string) => network.state.has(`identity/account/${name}`),
    objection: () => undefined,
    isChecked: () => true,
  };
  const wrong = wrongWithSet({ validators: set, observers }, facts);
  if (wrong !== undefined) throw new Error(wrong.why);
  for (const { name, vote } of set) {
    const key = network.state.get(`governance/key/${vote}`) as { name: string; role: string; status: string };
    if (key.name !== name || key.role !== 'vote' || key.status !== 'active') throw new Error('a retired key votes');
  }
  let able = 0;
  for (const [path, value] of network.state) {
    if (!path.startsWith('identity/account/')) continue;
    const account = value as { account: string; status: string; roles: string[]; keys: unknown[] };
    const member = council.members.includes(account.account);
    if (member && account.status === 'active' && account.keys.length > 0) able += 1;
    if (account.roles.includes('council') !== member) throw new Error('the role council');
    if (account.roles.includes('validator') !== set.some((each) => each.account === account.account))
      throw new Error('the role validator');
  }
  if (able < council.threshold) throw new Error('the council cannot decide');
  const agenda = (network.state.get('governance/agenda/current') ?? { proposals: [] }) as { proposals: string[] };
  if (agenda.proposals.length > AGENDA_MAX) throw new Error('the agenda is too long');
  if (agenda.proposals.some((id) => readPending(network.reader(), id) === undefined)) throw new Error('the agenda');
}

t.test('evidence: any bytes are judged, none of them throws, and only what two signatures hold is guilt', async (t) => {
  const network = threeMembers();
  const epoch = network.state.get('governance/epoch/1') as unknown as EpochValue;
  const samples = [
    sampleVote(network, 'notarize'),
    sampleVote(network, 'notarize', { block: 'b' }),
    sampleVote(network, 'nullify'),
    sampleVote(network, 'finalize'),
    sampleCosignature(network),
    sampleCosignature(network, { root: 'b' }),
  ].map((text) => fromBase64(text));
  const damaged = fc
    .tuple(fc.constantFrom(...samples), fc.array(fc.tuple(fc.nat(300), fc.nat(255)), { maxLength: 2 }), fc.nat(8))
    .map(([sample, flips, cut]) => {
      const bytes = sample.slice(0, cut === 0 ? Math.floor(sample.length / 2) : sample.length);
      for (const [at, value] of flips) bytes[at % bytes.length] = value;
      return bytes;
    });
  const message = fc
    .oneof(fc.constantFrom(...samples), damaged, fc.uint8Array({ maxLength: 300 }))
    .map((bytes) => toBase64(bytes));
  const text = fc.oneof({ arbitrary: message, weight: 9 }, { arbitrary: fc.string({ maxLength: 40 }), weight: 1 });
  const kinds = fc.constantFrom('votes' as const, 'cosignatures' as const);
  const whole = new Set(samples.map((bytes) => toBase64(bytes)));
  let guilty = 0;
  fc.assert(
    fc.property(kinds, text, text, (kind, a, b) => {
      const guilt = guiltOf({ kind, a, b }, epoch, network.block);
      const other = guiltOf({ kind, a: b, b: a }, epoch, network.block);
      if (JSON.stringify(guilt) !== JSON.stringify(other)) throw new Error('it depends on the order');
      if (guilt === undefined) return;
      guilty += 1;
      if (!whole.has(a) || !whole.has(b) || a === b) throw new Error('guilt of what v3 never signed');
    }),
    { numRuns: 3000 },
  );
  t.ok(guilty > 10, `${guilty} found guilty`);
});

t.test('the set is valid, the council able, an epoch ends at most once a block, nothing changes before', async (t) => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 60, size: 'max' }), (steps) => {
      const network = threeMembers();
      const ids: string[] = [];
      const retired = new Set<string>();
      for (const each of steps) {
        const before = readGoverned(network.reader());
        const { epoch } = network.block;
        const end = take(network, ids, each);
        const after = readGoverned(network.reader());
        if (end !== undefined) {
          checkEnd(network, end, before, after, epoch);
          for (const record of end.records) {
            const name = `${String(record['type'])} ${String(record['code'] ?? record['kind'] ?? '')}`;
            seen.set(name, (seen.get(name) ?? 0) + 1);
          }
        } else if (JSON.stringify(before) !== JSON.stringify(after)) throw new Error('before the end of the block');
        for (const { vote } of before.validators)
          if (!after.validators.some((validator) => validator.vote === vote)) retired.add(vote);
        if (after.validators.some(({ vote }) => retired.has(vote))) throw new Error('a retired key came back');
        checkState(network, after);
      }
    }),
    { numRuns: 50 },
  );
  const met = [...seen].map(([name, times]) => `${name}: ${times}`).sort();
  const kinds = ['validators', 'observers', 'parameters', 'ruleset', 'council'];
  const effective = kinds.filter((kind) => seen.has(`governance.effective ${kind}`));
  t.ok(effective.length >= 3 && (seen.get('epoch ') ?? 0) >= 5, 'enough of it came to something');
  t.comment(met.join(', '));
});
