// The policy from the command line: what is uploaded, what is proposed, how people read it. The node takes everything and does nothing.
import { appendFileSync, cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { decodeTransaction } from '../../contracts/transaction.ts';
import type { JsonObject } from '../../contracts/types.ts';
import { makeTestnet } from '../../src/cli/testnet.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { sha256Hex } from '../../src/crypto/hash.ts';
import type { NodeApi } from '../../src/node/api.ts';
import { rpcConfig } from '../../src/node/config.ts';
import { readDefaultPolicySet } from '../../src/policy/defaultSet.ts';
import { digestOfSet } from '../../src/policy/document.ts';
import { readPolicySetFolder } from '../../src/policy/setFolder.ts';
import { createRpcServer } from '../../src/rpc/server.ts';
import { type FakeNode, fakeNode, fakeProposal, hash } from '../rpc/fakeNode.ts';
import { weft } from './run.ts';

t.setTimeout(90_000);

type World = {
  readonly api: FakeNode;
  readonly rpc: readonly string[];
  readonly council: readonly string[];
  readonly folder: string;
  readonly state: Map<string, unknown>;
  readonly sent: { readonly type: string; readonly body: JsonObject }[];
};

const initial = readDefaultPolicySet();
const digestOf = (text: string): string => sha256Hex(encodeUtf8(text));

/** A network with the default set in force, and a copy of its folder to change. */
async function setUp(t: Test): Promise<World> {
  const dir = t.testdir({});
  const home = join(dir, 'net');
  const net = await makeTestnet({ dir: home, name: 'weft-test', basePort: 9300, passphrase: null });
  const api = fakeNode();
  const sent: World['sent'] = [];
  const digest = digestOfSet(initial);
  const state = new Map<string, unknown>([
    ['governance/policy/current', { version: 3, digest, minValid: 2, height: 40 }],
    [`governance/policy-set/${digest}`, initial],
    ['governance/pause/current', { paused: false, height: 0 }],
  ]);
  const node: NodeApi = {
    ...api,
    status: () => ({ ...api.status(), chain: net.chain }),
    state: (path) => ({ path, value: (state.get(path) ?? null) as never, height: 12, stateRoot: hash('state') }),
    submit: async (envelope) => {
      const { txId, type, body } = decodeTransaction(envelope, { chain: net.chain });
      sent.push({ type, body });
      if (type === 'governance.text') {
        const text = String(body['text']);
        state.set(`governance/text/${digestOf(text)}`, {
          text,
          account: 'council',
          height: 12,
          expires: Date.now() + 3_600_000,
        });
      }
      api.finalize(txId, undefined);
      return api.transaction(txId);
    },
  };
  const server = await createRpcServer({ api: node, config: rpcConfig({ port: 0 }) });
  t.teardown(() => server.close());
  const rpc = ['--rpc', server.url];
  const folder = join(dir, 'policy');
  cpSync(join(import.meta.dirname, '..', '..', 'genesis', 'policy'), folder, { recursive: true });
  return { api, rpc, council: ['--home', home, '--account', 'council', ...rpc], folder, state, sent };
}

const added =
  '\n// Nobody registers for now.\n@id("identity.frozen")\nforbid (principal, action == Action::"identity.register", resource);\n';

t.test('propose policy: checked here, only new texts uploaded, and shown before anybody approves', async (t) => {
  const { api, rpc, council, folder, state, sent } = await setUp(t);
  const same = await weft(['governance', 'propose', 'policy', '--dir', folder, '--min-valid', '2', ...council]);
  t.equal(same.code, 1);
  t.match(same.err, '[NOTHING_TO_DO]');
  appendFileSync(join(folder, 'default.cedar'), added);
  const proposed = await weft(['governance', 'propose', 'policy', '--dir', folder, ...council, '--json']);
  t.equal(proposed.code, 0, proposed.err);
  t.match(proposed.err, /^\+ identity\.frozen\nUploading 1 text …\n/);
  t.strictSame(
    sent.map(({ type }) => type),
    ['governance.text', 'governance.propose'],
  );
  const text = added.trim();
  t.equal(sent[0]?.body['text'], text, 'with its reason');
  const change = sent[1]?.body['change'] as { policies: { id: string; text: string }[]; schema: string };
  t.match(change, { kind: 'policy', schema: digestOf(initial.schema), minValid: 4 });
  t.equal(change.policies.length, initial.policies.length + 1);
  t.ok(change.policies.some((policy) => policy.id === 'identity.frozen' && policy.text === digestOf(text)));

  const again = await weft(['governance', 'propose', 'policy', '--dir', folder, '--min-valid', 'keep', ...council]);
  t.equal(again.code, 0, again.err);
  t.equal(sent.length, 3, 'the text is there');
  t.match(sent[2]?.body['change'], { minValid: 2 });

  api.proposals.push(fakeProposal({ kind: 'policy', change: change as never, readyNeeded: 0, ready: [], missing: [] }));
  const [list, show] = await Promise.all([
    weft(['governance', 'list', ...rpc]),
    weft(['governance', 'show', hash('proposal'), ...rpc]),
  ]);
  t.match(list.out, `policy: ${change.policies.length} policies, grants from version 4 on`);
  t.equal(show.code, 0, show.err);
  t.match(show.out, 'Policy version 3 → 4');
  t.match(show.out, 'All grants made so far become void.');
  t.match(show.out, /^\+ identity\.frozen\n {4}\/\/ Nobody registers for now\.\n {4}@id/m);
  state.set(`governance/text/${digestOf(text)}`, { text: `${text} `, account: 'council', height: 12, expires: 0 });
  const lied = await weft(['governance', 'show', hash('proposal'), ...rpc]);
  t.match(lied.err, '[TEXT_UNKNOWN]', 'a text is held against its digest');
});

t.test('propose policy: what the ledger would refuse is refused here, with nothing uploaded', async (t) => {
  const { council, folder, sent } = await setUp(t);
  const propose = (...more: string[]) =>
    weft(['governance', 'propose', 'policy', '--dir', folder, ...council, ...more]);
  const file = join(folder, 'default.cedar');
  const policies = readFileSync(file, 'utf8');
  const refused = async (text: string, code: string) => {
    writeFileSync(file, text);
    const { code: exit, err } = await propose();
    t.equal(exit, 1);
    t.match(err, `[${code}]`);
  };
  await refused(policies.replaceAll('council', 'counsel'), 'POLICY_LOCKS_OUT');
  await refused(policies.replace('context.own', 'context.owner'), 'POLICY_SET_UNSOUND');
  writeFileSync(file, `${policies}${added}`);
  t.match((await propose('--min-valid', '1')).err, '[USAGE]');
  t.match((await propose('--min-valid', '5')).err, '[USAGE]');
  t.equal((await weft(['governance', 'propose', 'policy', ...council])).code, 2);
  t.strictSame(sent, []);
});

t.test('pause, resume, and that it is seen', async (t) => {
  const { rpc, council, state, sent } = await setUp(t);
  for (const word of ['pause', 'resume'])
    t.equal((await weft(['governance', 'propose', word, ...council])).code, 0, word);
  t.strictSame(
    sent.map(({ body }) => body['change']),
    [true, false].map((paused) => ({ kind: 'pause', paused })),
  );
  t.notMatch((await weft(['governance', 'list', ...rpc])).out, 'paused');
  state.set('governance/pause/current', { paused: true, height: 11 });
  t.match((await weft(['governance', 'list', ...rpc])).out, /paused +yes: nothing is granted/);
  t.match((await weft(['policy', 'show', ...rpc])).out, /paused +yes/);
});

t.test('policy show: the set in force, one policy, and a node that answers with other texts', async (t) => {
  const { rpc, state, folder } = await setUp(t);
  const written = join(folder, 'written');
  t.equal((await weft(['policy', 'show', '--write', written, ...rpc])).code, 0);
  t.equal(digestOfSet(readPolicySetFolder(written)), digestOfSet(initial), 'to the letter');
  t.match((await weft(['policy', 'show', '--write', written, ...rpc])).err, '[FOLDER_EXISTS]');
  const [all, one, none, json] = await Promise.all([
    weft(['policy', 'show', ...rpc]),
    weft(['policy', 'show', 'models.unverified', ...rpc]),
    weft(['policy', 'show', 'nothing', ...rpc]),
    weft(['policy', 'show', '--json', ...rpc]),
  ]);
  t.equal(all.code, 0, all.err);
  t.match(
    all.out,
    /version +3\n.*digest +[0-9a-f]{64}\n.*since +the end of block 40\n.*grants +count from version 2 on/,
  );
  t.match(all.out, /models\.unverified +Nothing unverified/);
  t.match(one.out, 'context.passed.containsAll');
  t.match(none.err, '[POLICY_UNKNOWN]');
  t.match(JSON.parse(json.out), { version: 3, paused: false, schema: initial.schema });
  state.set(`governance/policy-set/${digestOfSet(initial)}`, { ...initial, policies: initial.policies.slice(1) });
  t.match((await weft(['policy', 'show', ...rpc])).err, '[POLICY_SET_MISMATCH]');
});

t.test('policy check: exit codes, and places as editors read them', async (t) => {
  const { folder } = await setUp(t);
  const file = join(folder, 'default.cedar');
  const check = (...more: string[]) => weft(['policy', 'check', folder, ...more]);
  const sound = await check();
  t.equal(sound.code, 0, sound.err);
  t.match(sound.out, `sound. Digest ${digestOfSet(initial)}`);
  const policies = readFileSync(file, 'utf8');
  const lines = policies.split('\n').length;
  writeFileSync(file, `${policies}\n@id("zz")\npermit (principal, action, resource)\nwhen { false };\n`);
  const doubtful = await check();
  t.equal(doubtful.code, 0, 'warnings pass');
  t.match(doubtful.out, `${file}:${lines + 1}:1: warning: zz: this policy can never apply`);
  t.equal((await check('--strict')).code, 1);
  writeFileSync(file, `${policies}\n@id("zz")\npermit (principal, action, resource)\nwhen { principal.nme };\n`);
  const wrong = await check();
  t.equal(wrong.code, 1);
  t.match(wrong.out, `${file}:${lines + 3}:8: error: zz: `);
  t.match(JSON.parse((await check('--json')).out), {
    sound: false,
    digest: null,
    findings: [{ policy: 'zz', line: lines + 3 }],
  });
  writeFileSync(file, policies.replaceAll('council', 'counsel'));
  t.match((await check()).out, '[POLICY_LOCKS_OUT]');
  t.equal((await weft(['policy', 'check'])).code, 2);
});
