import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { decodeTransaction } from '../../contracts/transaction.ts';
import type { JsonObject } from '../../contracts/types.ts';
import { makeTestnet } from '../../src/cli/testnet.ts';
import { fromBase64Url } from '../../src/codec/base64.ts';
import { readKeyFile } from '../../src/crypto/keyfile.ts';
import { ALG_ED25519, keyId } from '../../src/crypto/keyId.ts';
import { validatorKeysFrom } from '../../src/crypto/validatorKeys.ts';
import type { GovernanceStatus, NodeApi } from '../../src/node/api.ts';
import { loadConfig, rpcConfig } from '../../src/node/config.ts';
import { createRpcServer } from '../../src/rpc/server.ts';
import { type FakeNode, fakeNode, fakeParameters, fakeProposal, hash } from '../rpc/fakeNode.ts';
import { weft } from './run.ts';

t.setTimeout(90_000);

type Sent = { readonly account: string; readonly type: string; readonly body: JsonObject };
type World = {
  readonly api: FakeNode;
  readonly url: string;
  readonly home: string;
  readonly chain: string;
  readonly sent: Sent[];
  readonly state: Map<string, unknown>;
  /** Code with which the next transaction of a type is refused. */
  readonly refusals: Map<string, string>;
  /** What happens when the next `governance.approve` takes effect. */
  approved: () => void;
};

/** A home with its keys, and a node of that chain that takes every transaction and does nothing with it. */
async function setUp(t: Test): Promise<World> {
  const home = join(t.testdir({}), 'net');
  const net = await makeTestnet({ dir: home, name: 'weft-test', basePort: 9300, passphrase: null });
  const api = fakeNode();
  const sent: Sent[] = [];
  const state = new Map<string, unknown>();
  const refusals = new Map<string, string>();
  const node: NodeApi = {
    ...api,
    status: () => ({ ...api.status(), chain: net.chain }),
    genesis: () => new Uint8Array(readFileSync(net.genesis)),
    peers: () => [
      { name: 'v1', addresses: ['/ip4/0.0.0.0/tcp/9310'] },
      { name: 'v2', addresses: ['/ip4/10.0.0.2/tcp/9320'] },
    ],
    state: (path) => ({ path, value: state.get(path) ?? null, height: 12, stateRoot: hash('state') }),
    submit: async (envelope) => {
      const { txId, account, type, body } = decodeTransaction(envelope, { chain: net.chain });
      sent.push({ account, type, body });
      const refused = refusals.get(type);
      refusals.delete(type);
      if (type === 'governance.approve' && refused === undefined) world.approved();
      api.finalize(txId, refused);
      return api.transaction(txId);
    },
  };
  const server = await createRpcServer({ api: node, config: rpcConfig({ port: 0 }) });
  t.teardown(() => server.close());
  const world: World = {
    api,
    url: server.url,
    home,
    chain: net.chain,
    sent,
    state,
    refusals,
    approved: () => undefined,
  };
  return world;
}

const council = ({ home, url }: World): string[] => ['--home', home, '--account', 'council', '--rpc', url];

t.test('list, show, evidence: who takes part, what is proposed, who is missing', async (t) => {
  const world = await setUp(t);
  const { api, url } = world;
  api.proposals.push(
    fakeProposal(),
    fakeProposal({
      proposal: hash('other'),
      kind: 'parameters',
      change: { kind: 'parameters', parameters: { ...fakeParameters, maxBlockTxs: 8192 } },
      readyNeeded: 0,
      ready: [],
      missing: [],
      obstacle: 'NOTHING_TO_DO',
    }),
  );
  const rpc = ['--rpc', url];
  const id = hash('proposal');
  const [list, show, json, evidence, unknown] = await Promise.all([
    weft(['governance', 'list', ...rpc]),
    weft(['governance', 'show', id.slice(0, 8), ...rpc]),
    weft(['governance', 'show', id, ...rpc, '--json']),
    weft(['governance', 'evidence', ...rpc]),
    weft(['governance', 'show', 'ffff', ...rpc]),
  ]);
  t.equal(list.code, 0, list.err);
  t.match(list.out, /validators: \+v5 -v2 +open +1 of 2 +2 of 3/);
  t.match(list.out, /maxBlockTxs 4096 → 8192 +open \(NOTHING_TO_DO\)/);
  t.match(list.out, /council +2 of council v1 v2/);
  t.equal(show.code, 0, show.err);
  t.match(show.out, /missing +v4 v5/);
  t.equal(JSON.parse(json.out).proposal, id);
  t.match(evidence.out, /v4 +cosignatures +epoch 1 size 40 +not yet/);
  t.match(evidence.out, /v3 +votes +epoch 1 view 7 +block 9, log entry 30, by v1/);
  t.equal(unknown.code, 1);
  t.match(unknown.err, '[PROPOSAL_UNKNOWN]');
  t.match(show.out, /changes of v5: new/);

  const entry = { name: 'v2', peer: 'P', vote: 'V', log: 'L', cosigner: 'C', account: 'v2', url: 'http://v2' };
  world.state.set('governance/validators/current', { validators: [entry], observers: [] });
  const change = { kind: 'validators', set: [{ ...entry, vote: 'V2', log: 'L2' }], remove: [] };
  api.proposals.push(fakeProposal({ proposal: hash('keys'), change }));
  const changes = (await weft(['governance', 'show', hash('keys'), ...rpc])).out.match(/^changes of .*/gm);
  t.same(changes, ['changes of v2: vote V → V2', 'changes of v2: log L → L2'], 'and not a word of what stays');
});

t.test('a new validator: a home for a network that runs, an account, a proposal', async (t) => {
  const world = await setUp(t);
  const { home, url, chain, sent, state, refusals } = world;
  const home5 = join(home, '..', 'node5');
  const join5 = ['init', '--home', home5, '--name', 'v5', '--url', 'https://v5.example.net', '--unencrypted'];
  const wrong = await weft([...join5, '--join', url, '--chain', 'weft-test-000000000000']);
  t.equal(wrong.code, 1);
  t.match(wrong.err, '[CHAIN_DIFFERS]');
  t.notOk(existsSync(home5), 'nothing was made');
  const init = await weft([...join5, '--join', url, '--chain', chain, '--peer', 'v3=/dns4/v3.example.net/tcp/7610']);
  t.equal(init.code, 0, init.err);
  t.match(init.err, chain);
  t.same(readFileSync(join(home5, 'genesis.json')), readFileSync(join(home, 'genesis.json')));
  const config = loadConfig(join(home5, 'v5', 'config.yaml'));
  t.same(config.peer.peers, [
    { name: 'v3', address: '/dns4/v3.example.net/tcp/7610' },
    { name: 'v1', address: '/ip4/127.0.0.1/tcp/9310' },
    { name: 'v2', address: '/ip4/10.0.0.2/tcp/9320' },
  ]);
  const record = JSON.parse(init.out);
  writeFileSync(join(home5, 'v5.json'), init.out);
  const propose = await weft([
    'governance',
    'propose',
    'validators',
    '--add',
    join(home5, 'v5.json'),
    '--remove',
    'v4',
    '--remove',
    'v3',
    ...council(world),
  ]);
  t.equal(propose.code, 0, propose.err);
  t.match(propose.err, 'registered the account v5');
  t.match(propose.out, /^[0-9a-f]{64}\n$/, 'the id and nothing else');
  t.same(sent[0], {
    account: 'council',
    type: 'identity.register',
    body: { account: 'v5', roles: [], keys: record.account.keys },
  });
  const { proofs: _, ...entry } = record.validator;
  t.same(sent[1]?.body['change'], { kind: 'validators', set: [entry], remove: ['v3', 'v4'] });

  state.set('identity/account/v5', { account: 'v5', keys: [{ keyid: '0000000000000000' }] });
  sent.length = 0;
  const other = ['governance', 'propose', 'validators', '--add', join(home5, 'v5.json'), ...council(world)];
  const differs = await weft(other);
  t.match(differs.err, '[ACCOUNT_KEY_DIFFERS]');
  t.same(sent, []);
  t.match(differs.err, '--account v5.2');
  const lost = join(home, '..', 'lost');
  const again5 = ['init', '--home', lost, '--name', 'v5', '--account', 'v5.2', '--unencrypted', '--json'];
  const anew = await weft([...again5, '--join', join(home, 'genesis.json')]);
  t.equal(anew.code, 0, anew.err);
  writeFileSync(join(lost, 'v5.json'), anew.out);
  const taking = ['governance', 'propose', 'validators', '--add', join(lost, 'v5.json'), ...council(world), '--json'];
  const replaced = await weft(taking);
  t.equal(replaced.code, 0, replaced.err);
  t.match(sent, [
    { type: 'identity.register', body: { account: 'v5.2' } },
    { type: 'governance.propose', body: { change: { set: [{ name: 'v5', account: 'v5.2' }] } } },
  ]);
  refusals.set('governance.propose', 'ACCOUNT_GOVERNED');
  state.set('identity/account/v5.2', { keys: [{ keyid: keyidOf(JSON.parse(anew.out)) }] });
  t.match((await weft(taking)).err, /the council puts another account in its place/);

  const again = await weft(['governance', 'propose', 'validators', '--remove', 'v9', ...council(world)]);
  t.match(again.err, '[NAME_UNKNOWN]');
  writeFileSync(join(home5, 'v1.json'), JSON.stringify({ ...record, validator: { ...record.validator, name: 'v1' } }));
  const taken = await weft(['governance', 'propose', 'validators', '--add', join(home5, 'v1.json'), ...council(world)]);
  t.match(taken.err, '[NAME_TAKEN]');
  writeFileSync(join(home5, 'foreign.json'), JSON.stringify({ ...record, network: 'weft-prod' }));
  const foreign = await weft([
    'governance',
    'propose',
    'validators',
    '--add',
    join(home5, 'foreign.json'),
    ...council(world),
  ]);
  t.match(foreign.err, '[RECORD_INVALID]');
  const nothing = await weft(['governance', 'propose', 'validators', ...council(world)]);
  t.equal(nothing.code, 2);
});

t.test('an observer; parameters, ruleset, council', async (t) => {
  const world = await setUp(t);
  const { home, chain, sent } = world;
  const homeO = join(home, '..', 'observer');
  const init = await weft([
    ...['init', '--home', homeO, '--name', 'o2', '--join', join(home, 'genesis.json'), '--chain', chain],
    ...['--observer', '--unencrypted', '--json'],
  ]);
  t.equal(init.code, 0, init.err);
  t.match(init.err, 'No peers are known yet');
  t.equal(loadConfig(join(homeO, 'o2', 'config.yaml')).role, 'observer');
  const record = JSON.parse(init.out);
  writeFileSync(join(homeO, 'o2.json'), init.out);
  const propose = (...args: string[]) => weft(['governance', 'propose', ...args, ...council(world), '--json']);
  const done = [
    await propose('observers', '--add', join(homeO, 'o2.json'), '--remove', 'o1'),
    await propose('parameters', '--set', 'maxBlockTxs=8192', '--set', 'recosignMs=1000'),
    await propose('ruleset', '2', '--not-before', '5000'),
    await propose('council', '--members', 'v2,council,v1', '--threshold', '2', '--expires-in', '1h'),
  ];
  for (const { code, err } of done) t.equal(code, 0, err);
  t.same(
    sent.map(({ body }) => body['change']),
    [
      { kind: 'observers', set: [record.observer], remove: ['o1'] },
      { kind: 'parameters', parameters: { ...fakeParameters, maxBlockTxs: 8192, recosignMs: 1000 } },
      { kind: 'ruleset', ruleset: 2 },
      { kind: 'council', threshold: 2, members: ['council', 'v1', 'v2'] },
    ],
  );
  t.equal(sent[2]?.body['notBefore'], 5000);
  t.ok(Math.abs(Number(sent[3]?.body['expires']) - Date.now() - 3_600_000) < 60_000);
  t.match((await propose('parameters', '--set', 'maxBlockTx=1')).err, /no parameter 'maxBlockTx'/);
  world.refusals.set('governance.propose', 'KEY_RETIRED');
  const retired = JSON.parse((await propose('ruleset', '2')).err).error;
  t.equal(retired.code, 'KEY_RETIRED');
  t.match(retired.message, /make a new one/);
});

t.test('approve --wait: first until enough are ready, then until the change is in force', async (t) => {
  const world = await setUp(t);
  const { api, sent, state, refusals } = world;
  const id = hash('proposal');
  const set = (over: Partial<GovernanceStatus['proposals'][number]>): void => {
    api.proposals.length = 0;
    api.proposals.push(fakeProposal(over));
  };
  set({});
  const early = await weft(['governance', 'approve', id, ...council(world), '--wait', '--timeout', '300ms']);
  t.equal(early.code, 1);
  t.match(early.err, /2 of 3 are ready; missing: v4 v5.*\[GOVERNANCE_NOT_READY\]/s);
  t.same(sent, []);

  refusals.set('governance.approve', 'GOVERNANCE_NOT_READY');
  const hint = await weft(['governance', 'approve', id.slice(0, 6), ...council(world)]);
  t.equal(hint.code, 1);
  t.match(hint.err, /--wait waits for them.*\[GOVERNANCE_NOT_READY\]/s);

  sent.length = 0;
  refusals.set('governance.approve', 'GOVERNANCE_NOT_READY');
  const waiting = weft(['governance', 'approve', id, ...council(world), '--wait', '--json']);
  setTimeout(() => set({ ready: ['v1', 'v3', 'v5'], missing: ['v4'] }), 500);
  world.approved = () => {
    api.proposals.length = 0;
    state.set(`governance/proposal/${id}`, { status: 'effective', concluded: { height: 40, code: null } });
  };
  const done = await waiting;
  world.approved = () => undefined;
  t.equal(done.code, 0, done.err);
  t.same(JSON.parse(done.out), { proposal: id, status: 'effective', height: 40, epoch: 1 });
  t.same(
    sent.map(({ type, body }) => [type, body['proposal']]),
    [
      ['governance.approve', id],
      ['governance.approve', id],
    ],
  );

  set({ readyNeeded: 0, ready: [], missing: [], approvals: ['council'] });
  const first = await weft(['governance', 'approve', id, ...council(world), '--wait']);
  t.equal(first.code, 0, first.err);
  t.match(first.out, 'approved: 1 of 2', 'others must still agree: nothing to wait for');

  set({ readyNeeded: 0, ready: [], missing: [], approvals: ['v1', 'council'], status: 'approved' });
  state.set(`governance/proposal/${id}`, { status: 'lapsed', concluded: { height: 41, code: 'GOVERNANCE_CONFLICT' } });
  const lapsed = await weft(['governance', 'approve', id, ...council(world), '--wait']);
  t.equal(lapsed.code, 1);
  t.match(lapsed.err, '[GOVERNANCE_CONFLICT]');
  const withdrawn = await weft(['governance', 'withdraw', id, ...council(world), '--json']);
  t.equal(withdrawn.code, 0, withdrawn.err);
});

t.test('next keys: a new vote key beside the old one, and the record of it', async (t) => {
  const world = await setUp(t);
  const { home } = world;
  const node = ['--home', home, '--validator', 'v2'];
  const early = await weft(['keys', 'public', ...node, '--next']);
  t.match(early.err, '[KEY_FILE_MISSING]');
  const next = await weft(['keys', 'next', ...node]);
  t.equal(next.code, 0, next.err);
  const config = loadConfig(join(home, 'v2', 'config.yaml'));
  t.equal(config.nextKeys, join(home, 'v2', 'keys.next.json'));
  t.equal(statSync(config.nextKeys!).mode & 0o777, 0o600);
  const [before, after] = await Promise.all(
    [config.keys, config.nextKeys!].map(async (path) => validatorKeysFrom(await readKeyFile(path, null))),
  );
  const same = (['peer', 'vote', 'log', 'cosigner', 'account'] as const).filter(
    (role) => Buffer.compare(before![role].publicKey, after![role].publicKey) === 0,
  );
  t.same(same, ['peer', 'log', 'cosigner', 'account']);
  const [old, record, twice] = await Promise.all([
    weft(['keys', 'public', ...node, '--json']),
    weft(['keys', 'public', ...node, '--next', '--json']),
    weft(['keys', 'next', ...node]),
  ]);
  const made = JSON.parse(record.out);
  t.not(made.validator.vote, JSON.parse(old.out).validator.vote);
  t.equal(made.validator.peer, JSON.parse(old.out).validator.peer);
  t.match(twice.err, '[KEY_FILE_EXISTS]');
  writeFileSync(join(home, 'v2.json'), record.out);
  const own = ['--keys', join(home, 'v2', 'keys.json'), '--account', 'v2', '--rpc', world.url];
  world.state.set('identity/account/v2', { keys: [{ keyid: keyidOf(made) }] });
  const proposed = await weft(['governance', 'propose', 'validators', '--replace', join(home, 'v2.json'), ...own]);
  t.equal(proposed.code, 0, proposed.err);
  t.equal(world.sent.at(-1)?.account, 'v2', 'a validator proposes its own new keys');
});

function keyidOf(record: { account: { keys: { publicKey: string }[] } }): string {
  return keyId(ALG_ED25519, fromBase64Url(record.account.keys[0]!.publicKey));
}
