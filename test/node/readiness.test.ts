import t, { type Test } from 'tap';
import type { Json } from '../../contracts/types.ts';
import { fromBase64Url, toBase64Url } from '../../src/codec/base64.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { sha256Hex } from '../../src/crypto/hash.ts';
import {
  generateValidatorKeys,
  keyPairOf,
  type ValidatorKeys,
  verifyPossession,
} from '../../src/crypto/validatorKeys.ts';
import type { Outcome } from '../../src/node/ownTransactions.ts';
import { Readiness } from '../../src/node/readiness.ts';
import { genesisTime, makeGenesis, networkName, seedOf } from '../ledger/fixtures.ts';

const { genesis } = makeGenesis(4);
const id = 'ab'.repeat(32);
const roles = ['peer', 'vote', 'log', 'cosigner'] as const;

function keysOf(name: string): ValidatorKeys {
  const pair = (role: string) => keyPairOf(seedOf(`${name}/${role}`));
  return {
    peer: pair('peer'),
    vote: pair('vote'),
    log: pair('log'),
    cosigner: pair('cosigner'),
    account: keyPairOf(seedOf(name)),
  };
}

function entryOf(name: string, keys: ValidatorKeys, account = name) {
  const publicKeys = Object.fromEntries(roles.map((role) => [role, toBase64Url(keys[role].publicKey)]));
  return { name, ...publicKeys, account, url: 'http://127.0.0.1:9999' };
}

/** A chain at rest with one proposal on its agenda, and a node that holds `keys`. */
function setUp(t: Test, name: string, keys: readonly ValidatorKeys[], change: Json, kind = 'validators') {
  const state = new Map<string, Json>();
  for (const [path, value] of genesis.changes) if (value !== null) state.set(path, value);
  state.set('governance/agenda/current', { proposals: [id] });
  const proposal = {
    proposal: id,
    proposer: 'admin',
    kind,
    change,
    notBefore: 0,
    expires: genesisTime + 86_400_000,
    status: 'open',
    approvals: [],
    height: 10,
    concluded: null,
  };
  state.set(`governance/proposal/${id}`, proposal);
  const answer: Outcome = { applied: true, code: '' };
  const world = { nowMs: 0, time: genesisTime, able: true, answer, sent: (): unknown => undefined };
  const sent: { account: string; body: { proposal: string; height: number; proofs: { [role: string]: string } } }[] =
    [];
  const readiness = new Readiness({
    name,
    keys,
    state: () => state,
    block: () => ({
      chain: genesis.chain,
      genesisHash: genesis.genesisHash,
      height: 812,
      time: world.time,
      epoch: 1,
      ruleset: 1,
    }),
    hasRuleset: (number) => number <= 2,
    able: () => world.able,
    send: async (account, type, body) => {
      t.equal(type, 'governance.ready');
      sent.push({ account, body });
      world.sent();
      return world.answer;
    },
    log: { debug() {}, info() {}, warn() {}, error() {} },
    monotonicMs: () => world.nowMs,
  });
  const pass = async (ms: number): Promise<void> => {
    for (const until = world.nowMs + ms; world.nowMs < until; world.nowMs += 1000) {
      world.time += 1000;
      readiness.tick();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { state, sent, world, pass };
}

t.test('a newcomer says so with the keys that the proposal names', async (t) => {
  const keys = generateValidatorKeys();
  const change = { kind: 'validators', set: [entryOf('v05', keys, 'alice')], remove: [] };
  const { sent, pass } = setUp(t, 'v05', [keys], change);
  await pass(1000);
  t.same(
    sent.map(({ account, body }) => [account, body.proposal, body.height]),
    [['alice', id, 812]],
  );
  for (const role of roles) {
    const claim = { network: networkName, validator: 'v05', role, publicKey: keys[role].publicKey };
    t.ok(verifyPossession(claim, fromBase64Url(sent[0]!.body.proofs[role]!)), role);
  }
});

t.test('whoever stays says so too; who goes, who has other keys and who catches up does not', async (t) => {
  const change = { kind: 'validators', set: [entryOf('v02', generateValidatorKeys())], remove: ['v03'] };
  const stays = setUp(t, 'v01', [keysOf('v01')], change);
  await stays.pass(1000);
  t.equal(stays.sent.length, 1);
  for (const name of ['v02', 'v03', 'v99']) {
    const { sent, pass } = setUp(t, name, [keysOf(name)], change);
    await pass(60_000);
    t.same(sent, [], name);
  }
  const late = setUp(t, 'v01', [keysOf('v01')], change);
  late.world.able = false;
  await late.pass(60_000);
  t.same(late.sent, []);
  late.world.able = true;
  await late.pass(1000);
  t.equal(late.sent.length, 1);
});

t.test('next keys serve as well as those in use', async (t) => {
  const next = { ...keysOf('v02'), vote: generateValidatorKeys().vote };
  const change = { kind: 'validators', set: [entryOf('v02', next)], remove: [] };
  const { sent, pass } = setUp(t, 'v02', [keysOf('v02'), next], change);
  await pass(1000);
  t.equal(sent.length, 1);
});

t.test('a ruleset that this build has; council and parameters wait for nobody', async (t) => {
  const has = setUp(t, 'v01', [keysOf('v01')], { kind: 'ruleset', ruleset: 2 }, 'ruleset');
  await has.pass(1000);
  t.equal(has.sent.length, 1);
  const lacks = setUp(t, 'v01', [keysOf('v01')], { kind: 'ruleset', ruleset: 3 }, 'ruleset');
  await lacks.pass(60_000);
  t.same(lacks.sent, []);
  const council = setUp(t, 'v01', [keysOf('v01')], { kind: 'council', threshold: 1, members: ['alice'] }, 'council');
  await council.pass(60_000);
  t.same(council.sent, []);
});

t.test('again every four minutes while it is on the agenda, and no flood when it is refused', async (t) => {
  const change = { kind: 'validators', set: [], remove: ['v03'] };
  const refused = setUp(t, 'v01', [keysOf('v01')], change);
  refused.world.answer = { applied: false, code: 'POLICY_DENIED' };
  await refused.pass(3_600_000);
  t.ok(refused.sent.length > 5 && refused.sent.length < 30, `${refused.sent.length} in an hour`);

  const { state, sent, world, pass } = setUp(t, 'v01', [keysOf('v01')], change);
  // What the contract writes.
  const own = entryOf('v01', keysOf('v01')) as unknown as Record<(typeof roles)[number], string>;
  const keys = sha256Hex(encodeUtf8(roles.map((role) => own[role]).join('.')));
  world.sent = () =>
    state.set('governance/ready/v01', {
      validator: 'v01',
      ready: [{ proposal: id, keys, ruleset: 1, height: 812, time: world.time }],
    });
  await pass(1000);
  t.equal(sent.length, 1);
  await pass(230_000);
  t.equal(sent.length, 1, 'the word still counts');
  await pass(20_000);
  t.equal(sent.length, 2);
  await pass(3_600_000);
  t.equal(sent.length, 2 + 15);
  state.set('governance/agenda/current', { proposals: [] });
  await pass(3_600_000);
  t.equal(sent.length, 2 + 15, 'off the agenda');
});
