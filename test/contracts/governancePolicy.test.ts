// Policy under governance: texts, sets, minValid, pause. What Cedar says of a set is stood in for here; see test/policy and test/ledger.
import t from 'tap';
import { previousPolicyPath } from '../../contracts/governance/policySet.ts';
import { type Change, isPaused, readPolicy } from '../../contracts/governance/state.ts';
import { TEXT_BYTES_MAX, TEXT_LIFETIME_MS, TEXTS_BYTES_MAX, TEXTS_MAX } from '../../contracts/governance/texts.ts';
import type { Applied } from '../../contracts/types.ts';
import { validate } from '../../schemas/validators.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { sha256Hex } from '../../src/crypto/hash.ts';
import { digestOfSet } from '../../src/policy/document.ts';
import { propose, proposeBody, threeMembers, validatorsChange } from './governance.samples.ts';
import { type Network, openPolicy } from './network.ts';

const digestOf = (text: string): string => sha256Hex(encodeUtf8(text));
const policyText = (n: number | string): string => `permit (principal, action, resource) when { ${n} == ${n} };`;
const upload = (network: Network, text: string, by = 'admin'): Applied => network.send(by, 'governance.text', { text });
const policyChange = (
  texts: readonly string[],
  minValid: number,
  schema: string = openPolicy.schema,
): Change & { kind: 'policy' } => ({
  kind: 'policy',
  schema: digestOf(schema),
  policies: texts.map((text, i) => ({ id: `p${100 + i}`, text: digestOf(text) })),
  minValid,
});
const pause = (paused: boolean): Change => ({ kind: 'pause', paused });
const refusedChange = (network: Network, change: Change): string | undefined =>
  network.send('admin', 'governance.propose', proposeBody(network, change)).refused;

/** Uploads, proposes, approves by two of three; answers the end of the block at which it is due. */
function pass(network: Network, change: Change): Applied {
  const id = propose(network, change);
  for (const by of ['admin', 'femto']) network.send(by, 'governance.approve', { proposal: id });
  return network.next();
}

function passSet(network: Network, texts: readonly string[], minValid: number): Applied {
  for (const text of texts) upload(network, text);
  network.next();
  return pass(network, policyChange(texts, minValid));
}

t.test('a set comes into force at the end of its block, and no epoch ends', async (t) => {
  const network = threeMembers();
  t.match(upload(network, policyText(1)).records[0], { type: 'governance.uploaded', text: digestOf(policyText(1)) });
  t.equal(refusedChange(network, policyChange([policyText(1)], 2)), 'TEXT_UNKNOWN', 'not in the block of its upload');
  network.next();
  const change = policyChange([policyText(1)], 2);
  const id = propose(network, change, { notBefore: network.block.height + 2 });
  for (const by of ['admin', 'femto']) network.send(by, 'governance.approve', { proposal: id });
  const before = network.state.get('governance/policy/current') as { digest: string };
  t.strictSame(network.next().records, []);
  t.strictSame(network.next().records, []);
  t.strictSame(network.state.get('governance/policy/current'), before);
  const { height } = network.block;
  const { records } = network.next();
  const document = { schema: openPolicy.schema, policies: [{ id: 'p100', text: policyText(1) }] };
  const digest = digestOfSet(document);
  t.match(records, [{ type: 'governance.effective', kind: 'policy', policy: { version: 2, digest, minValid: 2 } }]);
  t.equal(records.length, 1, 'and no epoch record');
  t.equal(validate('record/governance.effective', records[0]), undefined);
  t.strictSame(network.state.get('governance/policy/current'), { version: 2, digest, minValid: 2, height });
  t.strictSame(network.state.get(`governance/policy-set/${digest}`), document);
  t.strictSame(network.state.get(previousPolicyPath), { version: 1, digest: before.digest });
  t.ok(network.state.get(`governance/policy-set/${before.digest}`), 'the set before stays');
  t.equal(refusedChange(network, change), 'NOTHING_TO_DO');
});

t.test('state keeps two sets, and the council goes back without bringing texts', async (t) => {
  const network = threeMembers();
  const sets = () => [...network.state.keys()].filter((path) => path.startsWith('governance/policy-set/'));
  passSet(network, [policyText(1)], 1);
  passSet(network, [policyText(1), policyText(2)], 1);
  t.equal(sets().length, 2);
  const before = readPolicy(network.reader());
  network.next(TEXT_LIFETIME_MS);
  network.next();
  t.equal(network.state.get(`governance/text/${digestOf(policyText(2))}`), undefined, 'the upload is gone');
  const { records } = pass(network, policyChange([policyText(1)], 1));
  t.match(records, [{ kind: 'policy', policy: { version: 4, minValid: 1 } }]);
  t.equal(sets().length, 2, 'they have changed places');
  t.match(network.state.get(previousPolicyPath), { version: 3, digest: before.digest });
  t.equal(refusedChange(network, policyChange([policyText(3)], 4)), 'TEXT_UNKNOWN');
});

t.test('minValid never falls, and may rise without another set', async (t) => {
  const network = threeMembers();
  passSet(network, [policyText(1)], 2);
  for (const text of [policyText(2)]) upload(network, text);
  network.next();
  for (const wrong of [1, 4]) t.equal(refusedChange(network, policyChange([policyText(2)], wrong)), 'MIN_VALID');
  const same = [policyText(1)];
  t.equal(refusedChange(network, policyChange(same, 2)), 'NOTHING_TO_DO');
  const previous = network.state.get(previousPolicyPath);
  t.match(pass(network, policyChange(same, 3)).records, [{ policy: { version: 3, minValid: 3 } }]);
  t.strictSame(network.state.get(previousPolicyPath), previous, 'what can be gone back to stays');
  t.match(pass(network, policyChange([policyText(2)], 3)).records, [{ policy: { version: 4, minValid: 3 } }], 'lower');
});

t.test('what a proposal of a set is refused for', async (t) => {
  const network = threeMembers();
  upload(network, policyText(1));
  network.next();
  const change = policyChange([policyText(1)], 2);
  const twice = { ...change, policies: [...change.policies, ...change.policies] };
  t.equal(refusedChange(network, twice), 'LIST_UNSORTED');
  t.equal(refusedChange(network, policyChange([policyText(1)], 2, 'entity Nothing;')), 'TEXT_UNKNOWN');
  let asked = 0;
  network.checkPolicySet = () => {
    asked += 1;
    return 'POLICY_SET_UNSOUND';
  };
  t.equal(refusedChange(network, change), 'POLICY_SET_UNSOUND');
  t.equal(asked, 1);
  t.equal(refusedChange(network, twice), 'LIST_UNSORTED');
  t.equal(asked, 1, 'Cedar is asked last');
  network.checkPolicySet = () => {
    throw new TypeError('no memory');
  };
  t.throws(() => refusedChange(network, change), TypeError, 'trouble of this machine is no refusal');
});

t.test('a set is asked about once, at its proposal', async (t) => {
  const network = threeMembers();
  upload(network, policyText(1));
  network.next();
  const id = propose(network, policyChange([policyText(1)], 2));
  network.checkPolicySet = () => 'POLICY_SET_UNSOUND';
  for (const by of ['admin', 'femto'])
    t.equal(network.send(by, 'governance.approve', { proposal: id }).refused, undefined);
  t.match(network.next().records, [{ type: 'governance.effective', kind: 'policy' }]);
});

t.test(
  'one change of the policy at a time; a new ruleset takes proposals of policy with it, not the other way round',
  async (t) => {
    const network = threeMembers();
    for (const n of [1, 2]) upload(network, policyText(n));
    network.next();
    const [first, second] = [1, 2].map((n) => propose(network, policyChange([policyText(n)], 2)));
    const ruleset = propose(network, { kind: 'ruleset', ruleset: 2 });
    for (const by of ['admin', 'femto']) network.send(by, 'governance.approve', { proposal: first });
    t.match(network.next().records, [
      { type: 'governance.effective', proposal: first },
      { type: 'governance.lapsed', proposal: second, code: 'GOVERNANCE_CONFLICT' },
    ]);
    t.match(network.state.get(`governance/proposal/${ruleset}`), { status: 'open' });
    const third = propose(network, policyChange([policyText(2)], 3));
    const { readyBody } = await import('./governance.samples.ts');
    for (const name of ['v1', 'v2', 'v3', 'v4'])
      network.send(name, 'governance.ready', readyBody(network, ruleset, name));
    for (const by of ['admin', 'femto']) network.send(by, 'governance.approve', { proposal: ruleset });
    t.match(
      network.next().records.map(({ type, proposal }) => [type, proposal]),
      [['governance.effective', ruleset], ['governance.lapsed', third], ['epoch']],
    );
  },
);

t.test('texts: of members only, bounded, gone after an hour unless a proposal names them', async (t) => {
  const network = threeMembers();
  t.equal(upload(network, policyText(1), 'v1').refused, 'NOT_COUNCIL');
  t.equal(upload(network, 'ä'.repeat(TEXT_BYTES_MAX / 2 + 1)).refused, 'TEXT_TOO_LARGE');
  t.equal(upload(network, 'ä'.repeat(TEXT_BYTES_MAX / 2)).refused, undefined);
  for (let i = 1; i < TEXTS_BYTES_MAX / TEXT_BYTES_MAX; i += 1)
    t.equal(upload(network, `${i}`.padEnd(TEXT_BYTES_MAX)).refused, undefined);
  t.equal(upload(network, 'x').refused, 'TEXTS_FULL', 'bytes');
  t.equal(upload(network, '1'.padEnd(TEXT_BYTES_MAX)).refused, undefined, 'again is no more');
  for (let i = 0; i < TEXTS_MAX; i += 1) upload(network, policyText(i), 'femto');
  t.equal(upload(network, 'x', 'femto').refused, 'TEXTS_FULL', 'number');
  t.equal(upload(network, 'x', 'scanner').refused, undefined, 'nobody fills the place of others');
  network.next();
  const named = propose(network, policyChange([policyText(1), policyText(2)], 2), {
    expires: network.block.time + TEXT_LIFETIME_MS + 60_000,
  });
  network.next(TEXT_LIFETIME_MS);
  network.next();
  const texts = () => [...network.state.keys()].filter((path) => path.startsWith('governance/text'));
  t.strictSame(texts().sort(), [1, 2].map((n) => `governance/text/${digestOf(policyText(n))}`).sort());
  network.send('admin', 'governance.withdraw', { proposal: named });
  network.next();
  t.strictSame(texts(), [], 'and nothing is left');
});

t.test('whoever uploads a text again has it, and its time begins anew', async (t) => {
  const network = threeMembers();
  upload(network, policyText(1));
  network.next(TEXT_LIFETIME_MS - 2000);
  const { records } = upload(network, policyText(1), 'femto');
  t.equal(validate('record/governance.uploaded', records[0]), undefined);
  t.strictSame(network.state.get('governance/text-owners/current'), { accounts: ['femto'] });
  t.equal(network.state.get('governance/texts/admin'), undefined);
  network.next(3000);
  network.next();
  t.match(network.state.get(`governance/text/${digestOf(policyText(1))}`), { account: 'femto' });
  const one = propose(network, policyChange([policyText(1)], 2));
  network.send('admin', 'governance.withdraw', { proposal: one });
  t.ok(network.state.get(`governance/text/${digestOf(policyText(1))}`), 'it stays for its hour');
});

t.test('uploading a text again keeps nobody from naming it in the same block', async (t) => {
  const network = threeMembers();
  upload(network, policyText(1));
  network.next();
  upload(network, policyText(1), 'femto');
  t.equal(refusedChange(network, policyChange([policyText(1)], 2)), undefined);
});

t.test('pause and resume', async (t) => {
  const network = threeMembers();
  t.equal(isPaused(network.reader()), false);
  t.equal(refusedChange(network, pause(false)), 'NOTHING_TO_DO');
  const { height } = network.block;
  const { records } = pass(network, pause(true));
  t.match(records, [{ type: 'governance.effective', kind: 'pause', paused: true }]);
  t.equal(validate('record/governance.effective', records[0]), undefined);
  t.strictSame(network.state.get('governance/pause/current'), { paused: true, height });
  t.equal(isPaused(network.reader()), true);
  t.equal(network.send('admin', 'identity.resume', { account: 'femto', reason: '' }).refused, 'ACCOUNT_NOT_SUSPENDED');
  t.equal(propose(network, validatorsChange('v5')).length, 64, 'the ledger goes on');
  t.match(pass(network, pause(false)).records, [{ kind: 'pause', paused: false }]);
  t.equal(isPaused(network.reader()), false);
});
