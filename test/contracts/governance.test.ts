import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { epochRecord, epochRecordBytes } from '../../contracts/governance/epochs.ts';
import { EVIDENCE_OF_ONE_MAX, isClosed } from '../../contracts/governance/evidence.ts';
import { wrongWithSet } from '../../contracts/governance/nodeSet.ts';
import { READY_LIFETIME_MS } from '../../contracts/governance/ready.ts';
import { AGENDA_MAX, type Change, type Proposal, readGoverned } from '../../contracts/governance/state.ts';
import type { Json, LedgerRecord } from '../../contracts/types.ts';
import { validate } from '../../schemas/validators.ts';
import { toBase64Url } from '../../src/codec/base64.ts';
import { publicKeyOf } from '../../src/crypto/ed25519.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { quorumOf } from '../../src/log/cosignature.ts';
import { parseVkey } from '../../src/log/vkey.ts';
import {
  entry,
  propose,
  proposeBody,
  readyBody,
  sampleCosignature,
  sampleVote,
  threeMembers,
  validatorsChange,
} from './governance.samples.ts';
import { genesisDocument, Network, plainKey, seedOf } from './network.ts';

const parameters = genesisDocument().consensus;
const faster: Change = { kind: 'parameters', parameters: { ...parameters, leaderTimeoutMs: 500 } };
const types = (records: readonly LedgerRecord[]) => records.map((record) => record['type']);
const read = (network: Network, id: string) =>
  network.state.get(`governance/proposal/${id}`) as unknown as Proposal & { concluded: { code: string } };

function ready(network: Network, proposal: string, names: readonly string[], generation = 0): void {
  for (const name of names) {
    const own = ['v1', 'v2', 'v3', 'v4'].includes(name) && generation === 0 ? 0 : generation;
    const { refused } = network.send(name, 'governance.ready', readyBody(network, proposal, name, { generation: own }));
    if (refused !== undefined) throw new Error(`${name}: ${refused}`);
  }
}

const refusedChange = (network: Network, change: Change, by = 'admin') =>
  network.send(by, 'governance.propose', proposeBody(network, change)).refused;

t.test('from proposal to effect: parameters, by two of three', async (t) => {
  const network = threeMembers();
  const id = propose(network, faster);
  t.strictSame(network.state.get('governance/agenda/current'), { proposals: [id] });
  t.match(read(network, id), { proposer: 'admin', kind: 'parameters', status: 'open', approvals: [] });
  t.equal(
    network.send('admin', 'governance.approve', { proposal: id }).refused,
    undefined,
    'the proposer is one of three',
  );
  t.equal(read(network, id).status, 'open');
  t.equal(network.send('admin', 'governance.approve', { proposal: id }).refused, 'APPROVED_ALREADY');
  t.equal(network.send('oracle.weave', 'governance.approve', { proposal: id }).refused, 'NOT_COUNCIL');
  t.strictSame(network.next().records, [], 'nothing yet');
  const { records } = network.send('femto', 'governance.approve', { proposal: id });
  t.match(records[0], { type: 'governance.approved', approvals: 2, threshold: 2, kind: 'parameters' });
  t.equal(read(network, id).status, 'approved');
  const before = network.block;
  const end = network.next();
  t.strictSame(types(end.records), ['governance.effective', 'epoch']);
  for (const record of end.records) t.equal(validate(`record/${String(record['type'])}`, record), undefined);
  t.match(end.records[1], { height: before.height, epoch: 2, ruleset: 1, consensus: { leaderTimeoutMs: 500 } });
  t.match(network.state.get('governance/consensus/current'), { ruleset: 1, parameters: { leaderTimeoutMs: 500 } });
  t.match(network.state.get('governance/epoch/2'), { epoch: 2, height: before.height + 1, ruleset: 1 });
  t.strictSame(network.state.get('governance/agenda/current'), { proposals: [] });
  t.match(read(network, id), { status: 'effective', change: null, concluded: { height: before.height, code: null } });
  t.equal(network.send('scanner', 'governance.approve', { proposal: id }).refused, 'PROPOSAL_CLOSED');
  t.strictSame(network.next().records, [], 'once');
});

t.test('approve, withdraw, ready: what they refuse about the proposal', async (t) => {
  const network = threeMembers();
  const unknown = 'ab'.repeat(32);
  const say = (by: string, type: string, proposal: string) =>
    network.send(by, type, type === 'governance.ready' ? readyBody(network, proposal, by) : { proposal }).refused;
  for (const type of ['governance.approve', 'governance.withdraw', 'governance.ready'])
    t.equal(say('admin', type, unknown), 'PROPOSAL_UNKNOWN');
  const soon = network.block.time + 500;
  const id = propose(network, faster, { expires: soon });
  t.equal(say('v1', 'governance.ready', id), 'READINESS_NOT_NEEDED');
  t.equal(say('femto', 'governance.withdraw', id), 'NOT_PROPOSER', 'no member vetoes another');
  t.equal(say('v1', 'governance.withdraw', id), 'NOT_PROPOSER');
  network.block = { ...network.block, time: soon };
  t.equal(say('femto', 'governance.approve', id), 'PROPOSAL_EXPIRED');
  t.match(network.next().records, [{ type: 'governance.lapsed', proposal: id, code: 'PROPOSAL_EXPIRED' }]);
  t.match(read(network, id), { status: 'lapsed', concluded: { code: 'PROPOSAL_EXPIRED' } });
  for (const type of ['governance.approve', 'governance.withdraw', 'governance.ready'])
    t.equal(say('admin', type, id), 'PROPOSAL_CLOSED');
  const own = propose(network, faster);
  const { records } = network.send('admin', 'governance.withdraw', { proposal: own });
  t.equal(validate('record/governance.withdrawn', records[0]), undefined);
  t.strictSame(network.state.get('governance/agenda/current'), { proposals: [] });
  const stale = propose(network, faster, { by: 'femto' });
  network.send('femto', 'identity.suspend', { account: 'femto', reason: '' });
  t.equal(say('v1', 'governance.withdraw', stale), 'NOT_PROPOSER');
  t.equal(say('admin', 'governance.withdraw', stale), undefined, 'what a suspended member left behind');
});

t.test('the agenda has room for 16, and nobody takes all of it', async (t) => {
  const network = threeMembers();
  const soon = network.block.time + 800;
  const at = (ms: number): Change => ({ kind: 'parameters', parameters: { ...parameters, fetchMs: ms } });
  const full = (by: string) => network.send(by, 'governance.propose', proposeBody(network, at(77))).refused;
  for (const [by, times] of [
    ['v1', 1],
    ['v2', 1],
    ['admin', 8],
    ['femto', 6],
  ] as const) {
    for (let i = 0; i < times; i += 1) propose(network, at(100 + i), { by, expires: soon });
    if (by !== 'femto') t.equal(full(by), 'AGENDA_FULL', by);
  }
  t.equal(full('femto'), 'AGENDA_FULL', 'sixteen in all');
  t.equal(full('v3'), 'AGENDA_FULL', 'for those outside too');
  t.equal((network.state.get('governance/agenda/current') as { proposals: string[] }).proposals.length, AGENDA_MAX);
  propose(network, at(150), { by: 'scanner', expires: soon });
  t.equal(full('scanner'), 'AGENDA_FULL', 'the place of a member that had none, once');
  network.next();
  t.equal(network.next().records.length, 17, 'they expire together');
  for (const by of ['v1', 'v2', 'v3', 'v4', 'v5', 'v6', 'v7', 'misty.weave']) propose(network, at(200), { by });
  t.equal(full('oracle.weave'), 'AGENDA_FULL', 'half of it is the council’s');
  t.equal(full('admin'), undefined);
  const late = (ms: number) =>
    network.send('admin', 'governance.propose', proposeBody(network, at(300), { expires: network.block.time + ms }))
      .refused;
  t.equal(late(0), 'PROPOSAL_EXPIRES');
  t.equal(late(30 * 24 * 3_600_000 + 1), 'PROPOSAL_EXPIRES');
  t.equal(late(30 * 24 * 3_600_000), undefined);
});

t.test('members below the threshold do not keep the others from a council without them', async (t) => {
  const members = ['admin', 'femto', 'oracle.weave', 'scanner', 'v1'];
  const network = new Network({ ...genesisDocument(), council: { threshold: 3, members } } as unknown as Json);
  const at = (ms: number): Change => ({ kind: 'parameters', parameters: { ...parameters, fetchMs: ms } });
  for (const by of ['admin', 'femto']) for (let i = 0; i < 8; i += 1) propose(network, at(100 + i), { by });
  const without: Change = { kind: 'council', threshold: 2, members: ['oracle.weave', 'scanner', 'v1'] };
  t.equal(refusedChange(network, at(99), 'admin'), 'AGENDA_FULL');
  const id = propose(network, without, { by: 'oracle.weave' });
  for (const by of ['oracle.weave', 'scanner', 'v1'])
    t.equal(network.send(by, 'governance.approve', { proposal: id }).refused, undefined);
  network.next();
  t.equal(readGoverned(network.reader()).council.members.length, 3);
  // What the two left behind is nobody's but the council's: it clears its own agenda.
  const [left = ''] = (network.state.get('governance/agenda/current') as { proposals: string[] }).proposals;
  t.equal(network.send('scanner', 'governance.withdraw', { proposal: left }).refused, undefined);
});

t.test('what stands against a set', async (t) => {
  const network = new Network();
  const change = (set: ReturnType<typeof entry>[], remove: string[] = []): Change => ({
    kind: 'validators',
    set,
    remove,
  });
  const why = (set: ReturnType<typeof entry>[], remove: string[] = []) => refusedChange(network, change(set, remove));
  t.equal(why([entry('v1', 0, { url: 'http://127.0.0.1:7611' })]), 'NOTHING_TO_DO');
  t.equal(why([entry('v6'), entry('v5')]), 'LIST_UNSORTED');
  t.equal(why([], ['v3', 'v2']), 'LIST_UNSORTED');
  t.equal(why([], ['v9']), 'NAME_UNKNOWN');
  t.equal(why([entry('v4', 1)], ['v4']), 'NAME_TWICE');
  t.equal(why([], ['v1', 'v2', 'v3', 'v4']), 'SET_SIZE');
  t.equal(why([entry('v5', 0, { account: 'nobody' })]), 'ACCOUNT_UNKNOWN');
  t.equal(why([entry('v5', 0, { account: 'v4' })]), 'ACCOUNT_TAKEN');
  const small = toBase64Url(new Uint8Array(32));
  const notCanonical = toBase64Url(
    Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 0xee : i === 31 ? 0x7f : 0xff)),
  );
  for (const role of ['peer', 'vote', 'log', 'cosigner'] as const) {
    t.equal(why([entry('v5', 0, { [role]: small })]), 'KEY_INVALID', role);
    t.equal(why([entry('v5', 0, { [role]: notCanonical })]), 'KEY_INVALID', role);
    t.equal(why([entry('v5', 0, { [role]: plainKey('oracle.weave').publicKey })]), 'KEY_USED', 'an account’s');
    t.equal(why([entry('v5', 0, { [role]: entry('v1')[role] })]), 'KEY_USED', 'another’s');
  }
  t.equal(why([entry('v5', 0, { peer: entry('v5').vote })]), 'KEY_USED', 'one key, two roles');
  t.equal(why([entry('v4', 0, { peer: entry('v4').vote, vote: entry('v4').peer })]), 'KEY_USED', 'changed roles');
  t.equal(why([entry('v5', 0, { peer: toBase64Url(publicKeyOf(seedOf('o1/peer'))) })]), 'KEY_USED', 'an observer’s');
  t.equal(why([entry('v5')]), undefined);
  const observers = (set: { name: string; peer: string }[], remove: string[] = []) =>
    refusedChange(network, { kind: 'observers', set, remove });
  const peer = entry('o2').peer;
  t.equal(observers([{ name: 'v1', peer }]), 'NAME_TAKEN');
  t.equal(observers([{ name: 'o2', peer: entry('v1').peer }]), 'KEY_USED');
  t.equal(observers([{ name: 'o2', peer: small }]), 'KEY_INVALID');
  t.equal(observers([], ['o2']), 'NAME_UNKNOWN');
  t.equal(observers([{ name: 'o2', peer }], ['o1']), undefined);
});

t.test('two log keys with one key id cannot be told apart', async (t) => {
  const facts = { origin: 'weft/weft', hasAccount: () => true, objection: () => undefined, isChecked: () => true };
  // Four bytes: some 2^16 keys hold a pair. Nothing checks these, so any bytes will do.
  const seen = new Map<string, string>();
  const { keyIdOf } = await import('../../src/log/vkey.ts');
  const pair = (): [string, string] => {
    for (let i = 0; ; i += 1) {
      const key = new Uint8Array(32);
      new DataView(key.buffer).setUint32(0, i);
      const id = keyIdOf(sha256, facts.origin, 1, key);
      const other = seen.get(id);
      if (other !== undefined) return [other, toBase64Url(key)];
      seen.set(id, toBase64Url(key));
    }
  };
  const [a, b] = pair();
  const validators = [entry('v1', 0, { log: a }), entry('v2', 0, { log: b })];
  t.match(wrongWithSet({ validators, observers: [] }, facts), { code: 'LOG_KEY_ID', why: /same key id/ });
});

t.test('what stands against parameters, a ruleset, a council', async (t) => {
  const network = threeMembers();
  const against = (changed: Partial<typeof parameters>) =>
    refusedChange(network, { kind: 'parameters', parameters: { ...parameters, ...changed } });
  t.equal(against({}), 'NOTHING_TO_DO');
  t.equal(against({ certificationTimeoutMs: 1000 }), 'PARAMETERS_INVALID');
  t.equal(against({ idleBlockMs: 1000 }), 'PARAMETERS_INVALID');
  t.equal(against({ skipMs: 29_999 }), 'PARAMETERS_INVALID');
  t.equal(against({ skipMs: 2000, idleBlockMs: 600, leaderTimeoutMs: 500 }), 'PARAMETERS_INVALID');
  t.equal(against({ retryMs: 30_000 }), 'PARAMETERS_INVALID');
  t.equal(against({ retryMs: 29_999 }), undefined);
  const upgrade = (ruleset: number) => refusedChange(network, { kind: 'ruleset', ruleset });
  t.equal(upgrade(1), 'RULESET_NOT_ABOVE');
  t.equal(upgrade(2), undefined, 'known or not: builds differ');
  t.equal(upgrade(9), undefined);
  const council = (threshold: number, ...members: string[]) =>
    refusedChange(network, { kind: 'council', threshold, members });
  t.equal(council(2, 'admin', 'femto', 'scanner'), 'NOTHING_TO_DO');
  t.equal(council(1, 'femto', 'admin'), 'LIST_UNSORTED');
  t.equal(council(2, 'admin'), 'COUNCIL_THRESHOLD');
  t.equal(council(1, 'admin', 'nobody'), 'ACCOUNT_UNKNOWN');
  network.send('admin', 'identity.suspend', { account: 'oracle.weave', reason: '' });
  t.equal(council(2, 'admin', 'oracle.weave'), 'COUNCIL_UNABLE', 'the last council key stays');
  t.equal(council(1, 'admin', 'oracle.weave'), undefined);
});

t.test('the epoch record must fit a leaf', async (t) => {
  const network = new Network(genesisDocument({ validators: 60 }) as unknown as Json);
  // Accounts for as many again, as a larger network would have registered them.
  const added = Array.from({ length: 68 }, (_, i) => `x-${'y'.repeat(27)}${String(i).padStart(3, '0')}`);
  const account = (name: string) => name.padEnd(63, 'z');
  for (const name of added.map(account))
    network.state.set(`identity/account/${name}`, { account: name, status: 'active', roles: [], keys: [] });
  const fat = added.map((name) => entry(name, 0, { account: account(name), url: `http://${'u'.repeat(200)}` }));
  // Too large for one transaction: what counts is the set that comes out.
  const { validators, ...rest } = readGoverned(network.reader());
  const large = [...validators, ...fat].sort((a, b) => (a.name < b.name ? -1 : 1));
  t.ok(epochRecordBytes(network.chain, { ...rest, validators: large }) > 65_535);
  network.state.set('governance/validators/current', { validators: large.slice(1) as unknown as Json, observers: [] });
  t.equal(refusedChange(network, validatorsChange(large[0]!)), 'GOVERNANCE_TOO_LARGE');
});

t.test('the length of an epoch record is known before its keys are hashed', async (t) => {
  const network = new Network();
  const block = { ...network.block, height: Number.MAX_SAFE_INTEGER, time: Number.MAX_SAFE_INTEGER };
  const record = epochRecord({ ...block, epoch: Number.MAX_SAFE_INTEGER - 1 }, readGoverned(network.reader()));
  t.equal(epochRecordBytes(network.chain, readGoverned(network.reader())), JSON.stringify(record).length);
});

t.test('readiness: q of the new set, for these keys, within ten minutes', async (t) => {
  const network = new Network();
  const id = propose(network, validatorsChange('v5', 'v6', 'v7'));
  const approve = () => network.send('admin', 'governance.approve', { proposal: id }).refused;
  const say = (name: string, options = {}) =>
    network.send(name, 'governance.ready', readyBody(network, id, name, options)).refused;
  t.equal(approve(), 'GOVERNANCE_NOT_READY', 'nobody is');
  t.equal(say('misty.weave'), 'NOT_IN_SET');
  t.equal(say('v5', { generation: 1 }), 'PROOF_INVALID', 'proofs of other keys');
  t.equal(say('v5', { height: network.block.height + 1 }), 'READY_HEIGHT');
  network.block = { ...network.block, height: 5000 };
  t.equal(say('v5', { height: 3999 }), 'READY_HEIGHT');
  t.equal(say('v5', { height: 4000 }), undefined);
  for (const name of ['v1', 'v2', 'v6']) t.equal(say(name), undefined);
  t.equal(quorumOf(7), 5);
  t.equal(approve(), 'GOVERNANCE_NOT_READY', 'four of seven');
  t.equal(say('v1'), undefined);
  t.equal(approve(), 'GOVERNANCE_NOT_READY', 'one speaks twice');
  t.equal(say('v7'), undefined);
  t.match(network.state.get('governance/ready/v7'), { validator: 'v7', ready: [{ proposal: id, height: 5000 }] });
  network.block = { ...network.block, time: network.block.time + READY_LIFETIME_MS };
  t.equal(approve(), 'GOVERNANCE_NOT_READY', 'ten minutes later');
  ready(network, id, ['v1', 'v2', 'v5', 'v6', 'v7']);
  t.equal(approve(), undefined);
  const end = network.next();
  t.strictSame(types(end.records), ['governance.effective', 'epoch']);
  const record = end.records[1] as unknown as {
    validators: { name: string; log: string; cosigner: string; vote: string }[];
  };
  t.equal(validate('record/epoch', record), undefined);
  for (const { name, log, cosigner } of record.validators) {
    t.equal(parseVkey(sha256, log).name, `${network.chain}/weft`);
    t.equal(parseVkey(sha256, cosigner).name, `${network.chain}/${name}`);
  }
  t.match(network.state.get('identity/account/v7'), { roles: ['validator'] });
  t.equal(network.state.get('governance/ready/v7'), undefined, 'forgotten with the proposal');
  t.match(network.state.get(`governance/key/${entry('v7').vote}`), { name: 'v7', role: 'vote', status: 'active' });
});

t.test('a set that is no longer there at the effect does not take effect', async (t) => {
  const network = new Network();
  const id = propose(network, validatorsChange('v5'), { notBefore: network.block.height + 2 });
  ready(network, id, ['v1', 'v2', 'v3', 'v5']);
  t.equal(network.send('admin', 'governance.approve', { proposal: id }).refused, undefined);
  t.strictSame(network.next().records, [], 'approved, not due');
  t.strictSame(network.next(READY_LIFETIME_MS).records, [], 'not yet');
  const end = network.next();
  t.match(end.records, [{ type: 'governance.lapsed', proposal: id, kind: 'validators', code: 'GOVERNANCE_NOT_READY' }]);
  t.equal(end.records.length, 1);
  t.equal(network.state.get('governance/ready/v5'), undefined);
  t.equal(readGoverned(network.reader()).validators.length, 4);
});

t.test('whoever has other keys by then was ready with the old ones only', async (t) => {
  const network = new Network();
  const upgrade = propose(network, { kind: 'ruleset', ruleset: 2 }, { notBefore: network.block.height + 1 });
  const rekey = propose(network, validatorsChange(entry('v4', 1)));
  ready(network, upgrade, ['v2', 'v3', 'v4']);
  ready(network, rekey, ['v1', 'v2', 'v3']);
  for (const proposal of [upgrade, rekey])
    t.equal(network.send('admin', 'governance.approve', { proposal }).refused, undefined);
  t.strictSame(types(network.next().records), ['governance.effective', 'epoch']);
  t.match(network.next().records, [{ type: 'governance.lapsed', proposal: upgrade, code: 'GOVERNANCE_NOT_READY' }]);
});

t.test('a word given before an upgrade says nothing about builds after it', async (t) => {
  const network = new Network();
  const upgrade = propose(network, { kind: 'ruleset', ruleset: 2 });
  const growth = propose(network, validatorsChange('v5', 'v6', 'v7'), { notBefore: network.block.height + 1 });
  ready(network, upgrade, ['v1', 'v2', 'v3']);
  ready(network, growth, ['v1', 'v2', 'v5', 'v6', 'v7']);
  for (const proposal of [upgrade, growth])
    t.equal(network.send('admin', 'governance.approve', { proposal }).refused, undefined);
  t.match(network.next().records, [
    { type: 'governance.effective', proposal: upgrade },
    { type: 'epoch', ruleset: 2 },
  ]);
  t.match(network.next().records, [{ type: 'governance.lapsed', proposal: growth, code: 'GOVERNANCE_NOT_READY' }]);
});

t.test('a ruleset waits for q builds that have it', async (t) => {
  const network = new Network();
  const id = propose(network, { kind: 'ruleset', ruleset: 3 });
  const approve = () => network.send('admin', 'governance.approve', { proposal: id }).refused;
  t.equal(approve(), 'GOVERNANCE_NOT_READY');
  ready(network, id, ['v1', 'v2', 'v3']);
  t.equal(approve(), undefined);
  t.match(network.next().records, [{ type: 'governance.effective' }, { type: 'epoch', epoch: 2, ruleset: 3 }]);
});

t.test('keys: a new vote key by the validator itself; the old one is gone for ever', async (t) => {
  const network = new Network();
  const own = validatorsChange(entry('v4', 1));
  const id = propose(network, own, { by: 'v4' });
  t.match(network.asked.at(-1), { action: 'governance.propose', context: { kind: 'validators', own: true } });
  ready(network, id, ['v1', 'v2', 'v3']);
  network.send('admin', 'governance.approve', { proposal: id });
  t.strictSame(types(network.next().records), ['governance.effective', 'epoch']);
  t.match(network.state.get(`governance/key/${entry('v4').vote}`), { status: 'retired', height: 1 });
  t.equal(refusedChange(network, validatorsChange(entry('v4'))), 'KEY_RETIRED');
  t.equal(
    refusedChange(network, validatorsChange(entry('v4', 0, { vote: entry('v4', 2).vote }))),
    undefined,
    'only votes matter',
  );
  t.equal(
    refusedChange(network, validatorsChange(entry('v5', 0, { log: entry('v4').log }))),
    'KEY_USED',
    'under another name',
  );
  for (const [change, what] of [
    [validatorsChange(entry('v3', 1)), 'another’s'],
    [{ ...validatorsChange(entry('v4', 2)), remove: ['v3'] }, 'and somebody out'],
    [validatorsChange(entry('v4', 2), entry('v5')), 'and somebody in'],
    [validatorsChange(entry('v4', 2, { account: 'v5' })), 'to somebody else'],
    [faster, 'parameters'],
  ] as [Change, string][]) {
    network.send('v4', 'governance.propose', proposeBody(network, change));
    t.match(network.asked.at(-1), { context: { own: false } }, what);
  }
});

t.test('one key, one purpose: what a validator has or had is no account’s', async (t) => {
  const network = new Network();
  const register = (publicKey: string) =>
    network.send('admin', 'identity.register', {
      account: `a-${publicKey
        .slice(0, 8)
        .toLowerCase()
        .replace(/[^a-z0-9]/g, 'x')}`,
      roles: [],
      keys: [{ alg: 'ed25519', publicKey }],
    }).refused;
  for (const role of ['peer', 'vote', 'log', 'cosigner'] as const)
    t.equal(register(entry('v4')[role]), 'KEY_REGISTERED');
  t.equal(register(entry('v5').vote), undefined, 'nobody’s yet');
  t.equal(refusedChange(network, validatorsChange('v5')), 'KEY_USED');
});

t.test('a validator whose account is lost too gets another one; the old account is nobody’s any more', async (t) => {
  const network = new Network();
  const keys = [plainKey('v2.2')];
  t.equal(network.send('admin', 'identity.register', { account: 'v2.2', roles: [], keys }).refused, undefined);
  const id = propose(network, validatorsChange(entry('v2', 1, { account: 'v2.2' })));
  ready(network, id, ['v1', 'v3', 'v4']);
  t.equal(network.send('admin', 'governance.approve', { proposal: id }).refused, undefined);
  const suspend = () => network.send('admin', 'identity.suspend', { account: 'v2', reason: 'lost' }).refused;
  t.equal(suspend(), 'ACCOUNT_GOVERNED', 'until the effect');
  t.strictSame(types(network.next().records), ['governance.effective', 'epoch']);
  t.match(network.state.get('identity/account/v2'), { roles: [] });
  t.match(network.state.get('identity/account/v2.2'), { roles: ['validator'] });
  t.equal(suspend(), undefined);
});

t.test('an observer becomes a validator, a validator an observer', async (t) => {
  const network = new Network();
  network.state.set('identity/account/o1', { account: 'o1', status: 'active', roles: [], keys: [] });
  const promoted = entry('o1');
  const id = propose(network, { kind: 'validators', set: [promoted], remove: ['v1'] });
  ready(network, id, ['v2', 'v3', 'v4']);
  network.send('admin', 'governance.approve', { proposal: id });
  network.next();
  const { validators, observers } = readGoverned(network.reader());
  t.strictSame([validators.map(({ name }) => name), observers], [['o1', 'v2', 'v3', 'v4'], []]);
  t.match(network.state.get('identity/account/v1'), { roles: [] });
  const back = propose(network, { kind: 'observers', set: [{ name: 'v1', peer: entry('v1').peer }], remove: [] });
  network.send('admin', 'governance.approve', { proposal: back });
  const end = network.next();
  t.strictSame(types(end.records), ['governance.effective'], 'observers end no epoch');
  t.strictSame(readGoverned(network.reader()).observers, [{ name: 'v1', peer: entry('v1').peer }]);
});

t.test('a new URL is a change without an epoch, and waits for nobody', async (t) => {
  const network = new Network();
  const id = propose(network, validatorsChange(entry('v1', 0, { url: 'https://moved.example.net' })));
  t.equal(network.send('admin', 'governance.approve', { proposal: id }).refused, undefined);
  t.strictSame(types(network.next().records), ['governance.effective']);
  t.equal(network.state.get('governance/epoch/2'), undefined);
  t.equal(readGoverned(network.reader()).validators[0]!.url, 'https://moved.example.net');
});

t.test('the council: roles follow it, and approvals of those who left do not count', async (t) => {
  const network = threeMembers();
  const council = (threshold: number, ...members: string[]): Change => ({ kind: 'council', threshold, members });
  const id = propose(network, council(2, 'admin', 'oracle.weave', 'scanner'));
  const late = propose(network, faster, { notBefore: network.block.height + 1 });
  for (const by of ['femto', 'scanner']) {
    for (const proposal of [id, late]) t.equal(network.send(by, 'governance.approve', { proposal }).refused, undefined);
  }
  t.strictSame(types(network.next().records), ['governance.effective'], 'no epoch');
  t.match(network.state.get('identity/account/femto'), { roles: ['model-publisher'] });
  t.match(network.state.get('identity/account/oracle.weave'), { roles: ['agent', 'council', 'model-authoriser'] });
  t.match(network.next().records, [{ type: 'governance.lapsed', proposal: late, code: 'GOVERNANCE_NOT_APPROVED' }]);
  const again = propose(network, faster, { notBefore: network.block.height + 1 });
  for (const by of ['scanner', 'oracle.weave', 'admin']) network.send(by, 'governance.approve', { proposal: again });
  network.send('scanner', 'identity.suspend', { account: 'scanner', reason: '' });
  network.next();
  t.strictSame(types(network.next().records), ['governance.effective', 'epoch'], 'a third approval made up for it');
  t.equal(
    network.send('oracle.weave', 'identity.suspend', { account: 'oracle.weave', reason: '' }).refused,
    'LAST_COUNCIL_KEY',
  );
});

t.test('several in one block: one closing; in conflict: the later one lapses', async (t) => {
  const network = new Network();
  const height = network.block.height;
  const slower: Change = { kind: 'parameters', parameters: { ...parameters, retryMs: 1500 } };
  const ids = [faster, slower, validatorsChange('v5'), { kind: 'observers', set: [], remove: ['o1'] } as Change].map(
    (change) => propose(network, change, { notBefore: height + 1 }),
  );
  const far = propose(network, slower, { notBefore: height + 1000 });
  ready(network, ids[2]!, ['v1', 'v2', 'v3', 'v5']);
  for (const proposal of [...ids].reverse())
    t.equal(network.send('admin', 'governance.approve', { proposal }).refused, undefined);
  network.next();
  const end = network.next();
  t.match(end.records, [
    { type: 'governance.effective', proposal: ids[0] },
    { type: 'governance.lapsed', proposal: ids[1], code: 'GOVERNANCE_CONFLICT' },
    { type: 'governance.lapsed', proposal: far, code: 'GOVERNANCE_CONFLICT' },
    { type: 'governance.effective', proposal: ids[2] },
    { type: 'governance.effective', proposal: ids[3] },
    { type: 'epoch', epoch: 2, consensus: { leaderTimeoutMs: 500, retryMs: 2000 } },
  ]);
  t.equal(end.records.length, 6);
  t.strictSame(network.state.get('governance/agenda/current'), { proposals: [] });
  const { validators, observers } = readGoverned(network.reader());
  t.strictSame([validators.length, observers.length], [5, 0]);
});

t.test('a change that has become impossible lapses and says why', async (t) => {
  const network = new Network();
  const height = network.block.height;
  const one = propose(network, validatorsChange('v5'), { notBefore: height + 1 });
  const other = propose(network, validatorsChange(entry('v6', 0, { peer: entry('v5').peer })), {
    notBefore: height + 1,
  });
  ready(network, one, ['v1', 'v2', 'v3', 'v5']);
  ready(network, other, ['v1', 'v2', 'v3']);
  t.equal(
    network.send('v6', 'governance.ready', readyBody(network, other, 'v6')).refused,
    'PROOF_INVALID',
    'nobody holds another’s key',
  );
  ready(network, other, ['v4']);
  for (const proposal of [one, other])
    t.equal(network.send('admin', 'governance.approve', { proposal }).refused, undefined);
  network.next();
  t.match(network.next().records, [
    { type: 'governance.effective', proposal: one },
    { type: 'governance.lapsed', proposal: other, code: 'KEY_USED' },
    { type: 'epoch' },
  ]);
});

t.test('evidence: what contradicts itself, by whom, once', async (t) => {
  const network = new Network();
  const bring = (kind: string, a: string, b: string, epoch = 1) =>
    network.send('v1', 'governance.evidence', { kind, epoch, a, b });
  const vote = (kind: 'notarize' | 'nullify' | 'finalize', options = {}) => sampleVote(network, kind, options);
  t.equal(bring('votes', vote('notarize'), vote('notarize', { block: 'b' }), 2).refused, 'EPOCH_UNKNOWN');
  for (const [a, b, what] of [
    [vote('notarize'), vote('notarize'), 'the same vote'],
    [vote('notarize'), vote('finalize', { block: 'b' }), 'notarize goes with finalize of another: no rule of one view'],
    [vote('notarize'), vote('nullify'), 'notarize, then nullify'],
    [vote('nullify'), vote('nullify'), 'a nullify has no second form'],
    [vote('notarize'), vote('notarize', { block: 'b', view: 78 }), 'two views'],
    [vote('notarize'), vote('notarize', { block: 'b', epoch: 2 }), 'two epochs'],
    [vote('notarize', { epoch: 2 }), vote('notarize', { block: 'b' }), 'the other way round'],
    [vote('notarize', { epoch: 2 }), vote('notarize', { block: 'b', epoch: 2 }), 'another epoch than is said'],
    [vote('notarize'), vote('notarize', { block: 'b', by: 'v2' }), 'two signers'],
    [vote('notarize'), 'AAAA', 'no vote'],
    [vote('notarize'), vote('notarize', { block: 'b' }).replace(/^.{8}/, 'AAAAAAAA'), 'no vote either'],
    [sampleCosignature(network), sampleCosignature(network, { root: 'b' }), 'cosignatures'],
  ] as const)
    t.equal(bring('votes', a, b).refused, 'EVIDENCE_INVALID', what);
  const forged = Buffer.from(vote('notarize', { block: 'b' }), 'base64');
  forged[forged.length - 1]! ^= 1;
  t.equal(bring('votes', vote('notarize'), forged.toString('base64')).refused, 'EVIDENCE_INVALID', 'a signature');

  const first = bring('votes', vote('notarize'), vote('notarize', { block: 'b' }));
  t.match(first.records, [{ type: 'governance.evidence', kind: 'votes', offender: 'v3', epoch: 1, at: 77, by: 'v1' }]);
  t.ok(network.state.has('governance/evidence/votes-1-77-v3'));
  t.equal(bring('votes', vote('nullify'), vote('finalize')).refused, 'EVIDENCE_KNOWN', 'once a view');
  t.equal(bring('votes', vote('nullify', { view: 80 }), vote('finalize', { view: 80 })).refused, undefined);

  const cosigned = (options = {}) => sampleCosignature(network, options);
  for (const [a, b, what] of [
    [cosigned(), cosigned(), 'the same'],
    [cosigned(), cosigned({ root: 'b', size: 913 }), 'two sizes'],
    [cosigned(), cosigned({ root: 'b', by: 'v2' }), 'two signers'],
    [cosigned({ by: 'v9' }), cosigned({ root: 'b', by: 'v9' }), 'nobody of the epoch'],
    [cosigned(), 'AAAA', 'no cosignature'],
  ] as const)
    t.equal(bring('cosignatures', a, b).refused, 'EVIDENCE_INVALID', what);
  t.match(bring('cosignatures', cosigned({ root: 'b' }), cosigned()).records, [
    { kind: 'cosignatures', offender: 'v3', at: 912 },
  ]);
  t.equal(bring('cosignatures', cosigned(), cosigned({ root: 'c' })).refused, 'EVIDENCE_KNOWN');
});

t.test(
  'evidence: of one offender sixteen an epoch; a cosignature once, whatever epoch is said; not of long ago',
  async (t) => {
    const network = new Network();
    const votes = (view: number, epoch = 1, by = 'v3') => {
      const [a, b] = (['nullify', 'finalize'] as const).map((kind) => sampleVote(network, kind, { view, epoch, by }));
      return network.send('v1', 'governance.evidence', { kind: 'votes', epoch, a, b }).refused;
    };
    for (let view = 1; view <= EVIDENCE_OF_ONE_MAX; view += 1) t.equal(votes(9_000_000_000_000 + view), undefined);
    t.equal(votes(78), 'EVIDENCE_ENOUGH', 'views that never were fill no state');
    t.equal(votes(9_000_000_000_001), 'EVIDENCE_KNOWN');
    t.match(network.state.get('governance/accused/1-v3'), { offender: 'v3', epoch: 1, count: EVIDENCE_OF_ONE_MAX });
    t.equal(votes(78, 1, 'v4'), undefined, 'of another one');

    const cosigned = (epoch: number, size = 912) => {
      const [a, b] = ['a', 'b'].map((root) => sampleCosignature(network, { by: 'v2', root, size }));
      return network.send('v1', 'governance.evidence', { kind: 'cosignatures', a, b, epoch }).refused;
    };
    t.equal(cosigned(1), undefined);
    for (let epoch = 2; epoch <= 5; epoch += 1) {
      const id = propose(network, { kind: 'parameters', parameters: { ...parameters, fetchMs: 900 + epoch } });
      network.send('admin', 'governance.approve', { proposal: id });
      t.equal(isClosed(network.reader(), 1, 'v2'), false, 'until the fourth epoch after it begins');
      network.next();
      t.equal(cosigned(epoch), 'EVIDENCE_KNOWN', 'one offence, whatever epoch the key served in');
    }
    t.equal(network.block.epoch, 5);
    t.equal(cosigned(1, 913), 'EVIDENCE_TOO_OLD');
    t.ok(isClosed(network.reader(), 1, 'v2'), 'a node knows by the same state');
    t.equal(cosigned(2, 913), undefined);
    t.equal(votes(79, 5), undefined, 'a new epoch counts anew');
  },
);

t.test('evidence is judged by the keys of its epoch, long after', async (t) => {
  const network = new Network();
  const id = propose(network, { kind: 'validators', set: [], remove: ['v3'] });
  ready(network, id, ['v1', 'v2', 'v4']);
  network.send('admin', 'governance.approve', { proposal: id });
  network.next();
  t.equal(readGoverned(network.reader()).validators.length, 3);
  const [a, b] = [sampleVote(network, 'notarize'), sampleVote(network, 'notarize', { block: 'b' })];
  t.match(network.send('v1', 'governance.evidence', { kind: 'votes', epoch: 1, a, b }).records, [{ offender: 'v3' }]);
});

t.test('every refusal is met here or beside', async (t) => {
  const folder = join(import.meta.dirname, '..', '..', 'contracts', 'governance');
  const codes = new Set<string>();
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.ts'))) {
    const source = readFileSync(join(folder, file), 'utf8');
    for (const [, code = ''] of source.matchAll(
      /(?:refuse\(|code: |return |\? |pending, |other, )'([A-Z]+(?:_[A-Z]+)+)'/g,
    ))
      codes.add(code);
  }
  const tests = ['governance.test.ts', 'governancePolicy.test.ts']
    .map((name) => readFileSync(join(import.meta.dirname, name), 'utf8'))
    .join('\n');
  t.ok(codes.size > 30, `${codes.size} codes`);
  for (const code of codes) t.ok(tests.includes(`'${code}'`), code);
});
