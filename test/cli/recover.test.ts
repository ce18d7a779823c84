// weft recover and weft journal dump, on homes with real stores and journals that were damaged in every way they know.
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { decodeTransaction } from '../../contracts/transaction.ts';
import type { Json } from '../../contracts/types.ts';
import { makeTestnet } from '../../src/cli/testnet.ts';
import { toBase64Url } from '../../src/codec/base64.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { readKeyFile } from '../../src/crypto/keyfile.ts';
import { validatorKeysFrom } from '../../src/crypto/validatorKeys.ts';
import { nodeFiles } from '../../src/ledger/files.ts';
import { type Genesis, loadGenesis } from '../../src/ledger/genesis.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import type { NodeApi } from '../../src/node/api.ts';
import { loadConfig, rpcConfig } from '../../src/node/config.ts';
import { findingsOf, readHome, readVoteState } from '../../src/node/homeState.ts';
import { planOf, recover } from '../../src/node/recovery.ts';
import { SignState, signStatePath } from '../../src/node/signState.ts';
import { writeStopMark } from '../../src/node/stopMark.ts';
import { VoteKey } from '../../src/node/voteKey.ts';
import { createRpcServer } from '../../src/rpc/server.ts';
import { addBlock } from '../ledger/fixtures.ts';
import { fakeNode, hash } from '../rpc/fakeNode.ts';
import { weft } from './run.ts';

type HomeOf = { readonly dir: string; readonly config: string; readonly data: string; readonly genesis: Genesis };

const templates = new Map<number, Promise<string>>();
const scratch = mkdtempSync(join(tmpdir(), 'weft-recover-'));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));

/** v1 of a network, as it is after three blocks and a vote: a copy of one that is made once. */
async function makeHome(validators = 4): Promise<HomeOf> {
  const made = templates.get(validators) ?? makeTemplate(validators, join(scratch, `whole-${validators}`));
  templates.set(validators, made);
  const dir = mkdtempSync(join(scratch, 'home-'));
  cpSync(await made, dir, { recursive: true });
  const genesis = loadGenesis(new Uint8Array(readFileSync(join(dir, 'genesis.json'))));
  return { dir, config: join(dir, 'v1', 'config.yaml'), data: join(dir, 'v1', 'data'), genesis };
}

async function makeTemplate(validators: number, dir: string): Promise<string> {
  const net = await makeTestnet({
    dir,
    validators,
    basePort: 9100,
    name: 'weft-recover',
    passphrase: null,
    demoAccounts: false,
  });
  const own = net.validators[0]!;
  const genesis = loadGenesis(new Uint8Array(readFileSync(net.genesis)));
  const ledger = await Ledger.open({ dir: own.data, genesis });
  for (let i = 0; i < 3; i += 1) await addBlock(ledger, []);
  await ledger.rememberCheckpoint(4, 'ab'.repeat(32));
  const { facts } = ledger.finalized;
  await ledger.journal.restart(1, [{ kind: 'floor', floor: { view: 3, block: facts } }]);
  const subject = { epoch: 1, view: 4 };
  const vote = { kind: 'nullify' as const, subject, signer: 0, signature: new Uint8Array(64).fill(1) };
  ledger.journal.appendRecord({ kind: 'vote', vote });
  await ledger.journal.sync();
  const keys = validatorKeysFrom(await readKeyFile(own.keys, null));
  const beside = await SignState.open(nodeFiles, signStatePath(own.keys));
  await new VoteKey(ledger, keys.vote.publicKey, 1, beside).begin();
  await ledger.close();
  return dir;
}

async function refusalAt(home: HomeOf): Promise<string> {
  const config = loadConfig(home.config);
  const keys = validatorKeysFrom(await readKeyFile(config.keys, null));
  const ledger = await Ledger.open({ dir: config.data, genesis: home.genesis });
  const beside = await SignState.open(nodeFiles, signStatePath(config.keys));
  const key = new VoteKey(ledger, keys.vote.publicKey, 1, beside);
  const refusal = key.refusal() || (key.storeBehind ? 'STORE_BEHIND' : '');
  await ledger.close();
  return refusal;
}

const args = (home: HomeOf, ...more: string[]) => ['recover', '--home', home.dir, '--validator', 'v1', ...more];
const journalFile = ({ data }: HomeOf) => join(data, 'journal', readdirSync(join(data, 'journal'))[0]!);

// Each has a home of its own, and mostly waits for processes.
t.jobs = 3;
t.setTimeout(240_000);
const timeout = 120_000;

t.test('a home that is whole: nothing is wrong, nothing is done', { timeout }, async (t) => {
  const home = await makeHome();
  const ran = await weft(args(home));
  t.equal(ran.code, 0, ran.err);
  t.match(ran.out, /whole, height 3, epoch 1/);
  t.match(ran.out, /nothing that is wrong/);
  t.equal(await refusalAt(home), '');
  const ledger = await Ledger.open({ dir: home.data, genesis: home.genesis });
  const locked = await weft(args(home));
  t.equal(locked.code, 1);
  t.match(locked.err, /DATA_LOCKED/);
  await ledger.close();
});

t.test('a lost journal: a new vote key, and the proposal that has it readmitted', { timeout }, async (t) => {
  const home = await makeHome();
  rmSync(join(home.data, 'journal'), { recursive: true });
  const before = readFileSync(loadConfig(home.config).keys, 'utf8');
  const dry = await weft(args(home, '--dry-run', '--json'));
  t.same(JSON.parse(dry.out).steps, ['new-key', 'configure', 'retire']);
  t.same(JSON.parse(dry.out).done, []);
  const ran = await weft(args(home, '--json'));
  t.equal(ran.code, 0, ran.err);
  const { findings, done, proposal } = JSON.parse(ran.out);
  t.match(findings, [{ code: 'JOURNAL_LOST' }]);
  t.same(done, ['new-key', 'configure', 'retire']);
  t.match(readFileSync(home.config, 'utf8'), /^# v1\. Every setting/, 'the comment stays');
  const config = loadConfig(home.config);
  t.equal(config.nextKeys, join(home.dir, 'v1', 'keys.next.json'));
  t.equal(statSync(config.nextKeys ?? '').mode & 0o777, 0o600);
  t.equal(readFileSync(config.keys, 'utf8'), before, 'the old keys stay as they are');
  const [old, next] = await Promise.all(
    [config.keys, config.nextKeys ?? ''].map(async (path) => validatorKeysFrom(await readKeyFile(path, null))),
  );
  t.same([old?.peer, old?.log, old?.cosigner, old?.account], [next?.peer, next?.log, next?.cosigner, next?.account]);
  t.notSame(old?.vote, next?.vote);
  const transaction = decodeTransaction(encodeUtf8(proposal.envelope), { chain: home.genesis.chain });
  t.match(transaction, { account: 'v1', type: 'governance.propose' });
  const { change } = transaction.body as {
    change: { kind: string; set: { name: string; vote: string; peer: string }[] };
  };
  t.equal(change.kind, 'validators');
  t.match(change.set, [
    { name: 'v1', vote: toBase64Url(next!.vote.publicKey), peer: toBase64Url(old!.peer.publicKey) },
  ]);
  t.equal(await refusalAt(home), 'JOURNAL_LOST', 'the old key is retired');

  const again = JSON.parse((await weft(args(home, '--json'))).out);
  t.same(again.done, [], 'nothing is left to do');
  const repeated = decodeTransaction(encodeUtf8(again.proposal.envelope)).body as typeof transaction.body;
  t.match(repeated, { change }, 'the same key is asked for again');
  t.match((await weft(args(home))).err, /weft tx submit/);
});

t.test('a node that is asked and lies about the keys gets no signature for them', { timeout }, async (t) => {
  const home = await makeHome();
  rmSync(join(home.data, 'journal'), { recursive: true });
  const own = home.genesis.epoch.validators.find(({ name }) => name === 'v1')!;
  const text = (key: Uint8Array): string => toBase64Url(key);
  const entry = {
    ...{ name: 'v1', account: 'v1', url: own.url, peer: text(own.peer), vote: text(own.vote) },
    ...{ log: text(own.log), cosigner: text(own.cosigner) },
  };
  let listed: Json[] = [];
  const api = fakeNode();
  const node: NodeApi = {
    ...api,
    status: () => ({ ...api.status(), chain: home.genesis.chain }),
    state: (path) => ({
      ...{ path, height: 12, stateRoot: hash('state') },
      value: path === 'governance/validators/current' ? { validators: listed } : null,
    }),
  };
  const server = await createRpcServer({ api: node, config: rpcConfig({ port: 0 }) });
  t.teardown(() => server.close());
  const thief = text(home.genesis.epoch.validators[1]!.log);
  listed = [{ ...entry, peer: thief, log: thief, cosigner: thief }];
  const ran = await weft(args(home, '--rpc', server.url));
  t.equal(ran.code, 1);
  t.match(ran.err, /KEYS_DIFFER/);
  for (const role of ['peer', 'log', 'cosigner']) t.ok(ran.err.includes(`${role}: listed ${thief}`), ran.err);
  t.equal(api.submitted.length, 0, 'nothing was signed');
  listed = [];
  t.match((await weft(args(home, '--rpc', server.url))).err, /weft init --join URL --chain ID/);
});

t.test('a damaged journal, and one that was put back', { timeout }, async (t) => {
  const damaged = await makeHome();
  const bytes = readFileSync(journalFile(damaged));
  bytes[120]! ^= 1;
  writeFileSync(journalFile(damaged), bytes);
  const ran = JSON.parse((await weft(args(damaged, '--json'))).out);
  t.match(ran.findings, [{ code: 'JOURNAL_DAMAGED' }]);
  t.same(ran.done, ['new-key', 'configure', 'retire']);
  t.ok(readdirSync(damaged.data).some((name) => /^journal\.damaged-[0-9]+$/.test(name)));
  t.equal(await refusalAt(damaged), 'JOURNAL_DAMAGED', 'the old key stays retired');
  const config = loadConfig(damaged.config);
  const { epoch } = damaged.genesis;
  const { vote: newKey } = validatorKeysFrom(await readKeyFile(config.nextKeys ?? '', null));
  const validators = epoch.validators.map((each) => (each.name === 'v1' ? { ...each, vote: newKey.publicKey } : each));
  const listed = { epoch: { ...epoch, epoch: 2, validators }, height: 10, journalRecords: 0, note: () => undefined };
  t.equal((await readVoteState(config, damaged.genesis, listed)).refusal, '', 'the new one votes when it is listed');

  const old = await makeHome();
  const { keys } = loadConfig(old.config);
  const { vote } = validatorKeysFrom(await readKeyFile(keys, null));
  await (await SignState.open(nodeFiles, signStatePath(keys))).set(old.genesis.genesisHash, vote.publicKey, 2, 'SIGNS');
  t.match(JSON.parse((await weft(args(old, '--dry-run', '--json'))).out).findings, [{ code: 'JOURNAL_ROLLED_BACK' }]);
});

t.test('a damaged store: put aside, with the notes in a new one; the journal stays', { timeout }, async (t) => {
  const home = await makeHome();
  const store = join(home.data, 'store');
  // The tables: what was written so far.
  await (await Ledger.open({ dir: home.data, genesis: home.genesis })).close();
  for (const name of readdirSync(store)) if (name.endsWith('.ldb')) truncateSync(join(store, name), 100);
  await t.rejects(Ledger.open({ dir: home.data, genesis: home.genesis }), {
    code: 'DATA_DAMAGED',
    message: /weft recover/,
  });
  const ran = JSON.parse((await weft(args(home, '--json'))).out);
  t.match(ran.findings, [{ code: 'DATA_DAMAGED' }]);
  t.same(ran.done, ['rebuild-store']);
  t.ok(readdirSync(home.data).some((name) => /^store\.damaged-[0-9]+$/.test(name)));
  t.equal(await refusalAt(home), 'STORE_BEHIND', 'the journal is ahead, and nothing of it is given up');
});

t.test('a store that is whole is rebuilt when asked, and keeps what the node had noted', { timeout }, async (t) => {
  const home = await makeHome();
  await writeStopMark(home.data, { code: 'STATE_DIVERGED', detail: 'another root', height: 3, time: 1 });
  const ran = JSON.parse((await weft(args(home, '--json'))).out);
  t.match(ran.findings, [{ code: 'STATE_DIVERGED', says: /another root/ }]);
  t.same(ran.done, ['rebuild-store', 'clear-stop']);
  t.notOk(existsSync(join(home.data, 'stopped.json')));
  const ledger = await Ledger.open({ dir: home.data, genesis: home.genesis });
  t.equal(ledger.finalized.header.height, 0);
  t.equal(await ledger.rememberCheckpoint(3, 'cd'.repeat(32)), false, 'it still knows what it cosigned');
  await ledger.close();
  const asked = JSON.parse((await weft(args(home, '--rebuild-store', '--json'))).out);
  t.same(asked.done, ['rebuild-store']);

  await writeStopMark(home.data, { code: 'FINALITY_CONFLICT', detail: 'two', height: 3, time: 1 });
  const refused = await weft(args(home, '--json'));
  t.equal(refused.code, 1);
  t.equal(JSON.parse(refused.err).error.code, 'RECOVER_CONFIRM');
  t.same(JSON.parse((await weft(args(home, '--confirm', '--json'))).out).done, ['clear-stop']);
});

t.test('the only validator of its network: a person has to answer for it', { timeout }, async (t) => {
  const home = await makeHome(1);
  rmSync(join(home.data, 'journal'), { recursive: true });
  t.equal(await refusalAt(home), 'JOURNAL_LOST');
  const refused = await weft(args(home));
  t.equal(refused.code, 1);
  t.match(refused.err, /RECOVER_CONFIRM/);
  t.match(refused.err, /--confirm/);
  const ran = JSON.parse((await weft(args(home, '--confirm', '--json'))).out);
  t.same(ran.done, ['confirm']);
  t.equal(ran.proposal, null);
  t.equal(await refusalAt(home), '', 'the same key votes on');
});

t.test(
  'alone in genesis, in a network that has grown: nobody can answer for a second block 1',
  { timeout },
  async (t) => {
    const damages: [string, (home: HomeOf) => void][] = [
      ['store damaged', ({ data }) => rmSync(join(data, 'store', 'CURRENT'))],
      ['store absent', ({ data }) => rmSync(join(data, 'store'), { recursive: true })],
      ['all absent', ({ data }) => rmSync(data, { recursive: true })],
      ['journal absent', ({ data }) => rmSync(join(data, 'journal'), { recursive: true })],
    ];
    for (const [what, damage] of damages) {
      const home = await makeHome(1);
      await (await Ledger.open({ dir: home.data, genesis: home.genesis })).close();
      const config = loadConfig(home.config);
      const { vote } = validatorKeysFrom(await readKeyFile(config.keys, null));
      const path = signStatePath(config.keys);
      const { genesisHash } = home.genesis;
      await (await SignState.open(nodeFiles, path)).set(genesisHash, vote.publicKey, 5, 'SIGNS');
      damage(home);
      const state = await readHome(config, home.genesis);
      t.same([state.newestEpoch, state.alone], [5, false], what);
      t.match(
        findingsOf(state).find(({ code }) => code === 'NETWORK_GROWN'),
        { says: /weft start --snapshot/ },
      );
      const steps = planOf(state, { rebuildStore: false, confirm: true });
      t.notOk(
        steps.some(({ name }) => name === 'confirm'),
        what,
      );
      await recover(state, steps, { configPath: home.config, passphrase: null, wallMs: () => 7 });
      const after = (await SignState.open(nodeFiles, path)).of(genesisHash, vote.publicKey);
      t.match(after, { epoch: 5, state: /^(SIGNS|JOURNAL_)/ });
      t.match(await refusalAt(home), /^JOURNAL_/, `${what}: and it begins nothing`);
    }
  },
);

t.test('alone in genesis: who else is in the journal, the notes and the configuration', { timeout }, async (t) => {
  const home = await makeHome(1);
  const ledger = await Ledger.open({ dir: home.data, genesis: home.genesis });
  await ledger.putNote('closing/2', new Uint8Array(1));
  await ledger.close();
  const config = loadConfig(home.config);
  t.match(await readHome(config, home.genesis), { newestEpoch: 3, alone: false });

  // Keys that were restored without what lay beside them, in an empty folder.
  const restored = await makeHome(1);
  rmSync(restored.data, { recursive: true });
  rmSync(signStatePath(config.keys.replace(home.dir, restored.dir)));
  const own = loadConfig(restored.config);
  t.match(await readHome(own, restored.genesis), { refusal: '', alone: true }, 'a network that begins');
  const peer = { ...own.peer, peers: [{ name: 'v2', address: '/ip4/127.0.0.1/tcp/1' }] };
  const withPeers = { ...own, peer };
  const state = await readHome(withPeers, restored.genesis);
  t.match(state, { refusal: 'NETWORK_GROWN', alone: false });
  t.match(findingsOf(state), [{ code: 'NETWORK_GROWN', says: /v2.*weft start --snapshot/ }]);
  t.throws(() => planOf(state, { rebuildStore: false, confirm: false }), { code: 'RECOVER_CONFIRM' });
  const steps = planOf(state, { rebuildStore: false, confirm: true });
  t.same(
    steps.map(({ name }) => name),
    ['confirm'],
  );
  await recover(state, steps, { configPath: restored.config, passphrase: null, wallMs: () => 7 });
  t.match(await readHome(withPeers, restored.genesis), { refusal: '' }, 'a person answered for it');
});

t.test('a crash at each step: the same command goes on from there', { timeout }, async (t) => {
  const damages: [string, (home: HomeOf) => void | Promise<void>][] = [
    ['journal', ({ data }) => rmSync(join(data, 'journal'), { recursive: true })],
    ['damaged', (home) => writeFileSync(journalFile(home), 'no journal')],
    ['store', ({ data }) => rmSync(join(data, 'store', 'CURRENT'))],
    ['mark', ({ data }) => writeStopMark(data, { code: 'STATE_DIVERGED', detail: 'x', height: 1, time: 1 })],
    ['alone', ({ data }) => rmSync(join(data, 'journal'), { recursive: true })],
  ];
  for (const [what, damage] of damages) {
    let crashes = 0;
    let clock = 0;
    for (let dies = 0; ; dies += 1) {
      const home = await makeHome(what === 'alone' ? 1 : 4);
      if (what === 'store') await (await Ledger.open({ dir: home.data, genesis: home.genesis })).close();
      await damage(home);
      const options = { rebuildStore: false, confirm: what === 'alone' };
      const run = async (before: (what: string) => void): Promise<void> => {
        const state = await readHome(loadConfig(home.config), home.genesis);
        await recover(state, planOf(state, options), {
          configPath: home.config,
          passphrase: null,
          wallMs: () => (clock += 1),
          before,
        });
      };
      let at = 0;
      let died = '';
      await run((step) => {
        if (at++ === dies) {
          died = step;
          throw new Error('the power is gone');
        }
      }).catch((error: Error) => {
        if (died === '') throw error;
      });
      if (died !== '') {
        crashes += 1;
        await run(() => undefined);
      }
      const state = await readHome(loadConfig(home.config), home.genesis);
      t.same(planOf(state, options), [], `${what}: ${died === '' ? 'no crash' : `died before it would ${died}`}`);
      const codes = findingsOf(state).map(({ code }) => code);
      t.same(
        codes,
        {
          journal: ['JOURNAL_LOST'],
          damaged: ['JOURNAL_DAMAGED'],
          store: ['STORE_BEHIND'],
          mark: ['STORE_BEHIND'],
          alone: [],
        }[what],
      );
      const votes = {
        journal: 'JOURNAL_LOST',
        damaged: 'JOURNAL_DAMAGED',
        store: 'STORE_BEHIND',
        mark: 'STORE_BEHIND',
        alone: '',
      }[what];
      t.equal(await refusalAt(home), votes);
      if (what === 'journal') t.ok(state.nextVoteKey, 'there is a next key');
      if (died === '') break;
    }
    t.ok(crashes > 1, `${what}: ${crashes} crashes`);
  }
});

t.test('journal dump reads whole, torn, damaged and absent journals, and changes none', { timeout }, async (t) => {
  const home = await makeHome();
  const dump = (...more: string[]) => weft(['journal', 'dump', '--home', home.dir, '--validator', 'v1', ...more]);
  const whole = await dump();
  t.equal(whole.code, 0, whole.err);
  t.match(whole.out, /state +complete/);
  t.match(whole.out, /1 {2}floor .*view=3.*height=3/);
  t.match(whole.out, /2 {2}vote nullify .*epoch=1 view=4 signer=0/);
  const [file, floor, vote] = (await dump('--json')).out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.match(file, { state: 'complete', epoch: 1, floorHeight: 3, records: 2 });
  t.match(floor, { kind: 'floor', sequence: 1, chained: true });
  t.match(vote, { kind: 'vote', vote: 'nullify', view: 4 });

  const path = journalFile(home);
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.subarray(0, bytes.length - 3));
  const torn = await dump();
  t.equal(torn.code, 0);
  t.match(torn.out, /do not hang together/);
  t.equal(statSync(path).size, bytes.length - 3, 'nothing is cut off');

  const broken = Uint8Array.from(bytes);
  broken[100]! ^= 1;
  writeFileSync(path, broken);
  const damaged = await dump();
  t.equal(damaged.code, 1);
  t.match(damaged.out, /state +damaged/);
  t.match(damaged.out, /^\? +2 {2}vote nullify/m, 'what is behind the break is shown, and marked');
  t.match(damaged.err, /weft recover/);

  rmSync(join(home.data, 'journal'), { recursive: true });
  const absent = await dump('--json');
  t.equal(absent.code, 1);
  t.match(JSON.parse(absent.out), { state: 'absent', records: 0 });
});

t.test('inspect reads a stopped node, and one that runs, without changing anything', { timeout }, async (t) => {
  const home = await makeHome();
  const before = readdirSync(home.data).sort();
  const look = (...more: string[]) => weft(['inspect', ...more, '--home', home.dir, '--validator', 'v1']);
  const running = await Ledger.open({ dir: home.data, genesis: home.genesis });
  const status = JSON.parse((await look('status', '--json')).out);
  t.match(status, {
    name: 'v1',
    height: 3,
    epoch: 1,
    journal: 'complete',
    notVoting: '',
    validators: ['v1', 'v2', 'v3', 'v4'],
  });
  await running.close();
  t.match(JSON.parse((await look('block', '2', '--json')).out), { height: 2, transactions: 0 });
  t.match((await look('entry', '0')).out, /^\{"type":"genesis"/);
  t.match((await look('state', 'governance/council/current')).out, /"members"/);
  const none = await look('tx', 'ab'.repeat(32), '--json');
  t.equal(none.code, 1);
  t.equal(JSON.parse(none.err).error.code, 'NOT_FOUND');
  t.same(readdirSync(home.data).sort(), before);
  rmSync(join(home.data, 'journal'), { recursive: true });
  t.match((await look('status')).out, /does not vote: JOURNAL_LOST/);
});
