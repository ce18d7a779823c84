import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { decodeTransaction } from '../../contracts/transaction.ts';
import type { JsonObject } from '../../contracts/types.ts';
import { effectFrom, effectOf } from '../../src/cli/intentEffect.ts';
import { makeTestnet } from '../../src/cli/testnet.ts';
import { proposeIntent } from '../../src/client/index.ts';
import type { NodeApi } from '../../src/node/api.ts';
import { rpcConfig } from '../../src/node/config.ts';
import { createRpcServer } from '../../src/rpc/server.ts';
import { type FakeNode, fakeIntent, fakeNode, hash } from '../rpc/fakeNode.ts';
import { weft } from './run.ts';

t.setTimeout(90_000);

type Sent = { readonly account: string; readonly type: string; readonly body: JsonObject };
type World = {
  readonly api: FakeNode;
  readonly url: string;
  readonly home: string;
  readonly sent: Sent[];
  /** What the next transaction leads to: a record, or the code of its refusal. */
  next: JsonObject | string;
};

const vector = (type: string, at = 0): JsonObject => {
  const file = new URL(`../vectors/records/${type}.json`, import.meta.url);
  const { leaves } = JSON.parse(readFileSync(file, 'utf8')) as { leaves: { leaf: string }[] };
  return JSON.parse(leaves[at]?.leaf ?? '') as JsonObject;
};

/** A node that takes every transaction of a home with keys, and answers what the test wants. */
async function setUp(t: Test): Promise<World> {
  const home = join(t.testdir({}), 'net');
  const net = await makeTestnet({ dir: home, name: 'weft-test', basePort: 9400, passphrase: null });
  const api = fakeNode();
  const sent: Sent[] = [];
  const world: World = { api, url: '', home, sent, next: 'NOTHING' };
  const node: NodeApi = {
    ...api,
    status: () => ({ ...api.status(), chain: net.chain }),
    submit: async (envelope) => {
      const { txId, account, type, body } = decodeTransaction(envelope, { chain: net.chain });
      sent.push({ account, type, body });
      const refused = typeof world.next === 'string' ? world.next : undefined;
      const record = refused === undefined ? world.next : { type: 'tx.refused' };
      const status = {
        status: 'finalized' as const,
        id: txId,
        height: 13,
        time: 1_763_712_000_013,
        index: 40,
        records: [{ index: 41, record }],
        ...(refused === undefined ? {} : { refused }),
      };
      api.transactions.set(txId, status);
      return status;
    },
  };
  const server = await createRpcServer({ api: node, config: rpcConfig({ port: 0 }) });
  t.teardown(() => server.close());
  return Object.assign(world, { url: server.url });
}

const by = ({ home, url }: World, account: string): string[] => ['--home', home, '--account', account, '--rpc', url];

t.test('propose: what was decided, in words, and what is next', async (t) => {
  const world = await setUp(t);
  const asked = ['intent', 'propose', 'service.restart', 'host=web-3', 'service=nginx', '--audience', 'actuator-web-1'];
  world.next = vector('intents.granted', 1);
  const granted = await weft([...asked, '--ttl', '90s', '--dry-run', ...by(world, 'healer')]);
  t.equal(granted.code, 0, granted.err);
  t.match(
    granted.out,
    /^[0-9a-f]{64}\nstatus\s+granted\nby\s+repairs, admin, femto\nfor\s+misty.weave, once, as a dry run\nuntil\s+2025/,
  );
  t.match(granted.err, /weft token get .* --intent [0-9a-f]{64}/);
  t.strictSame(world.sent, [
    {
      account: 'healer',
      type: 'intents.propose',
      body: {
        action: 'service.restart',
        resource: 'service/web-3/nginx',
        effect: { host: 'web-3', service: 'nginx' },
        ttlMs: 90_000,
        audience: 'actuator-web-1',
        maxUses: 1,
        dryRun: true,
      },
    },
  ]);

  world.next = vector('intents.pending');
  const pending = await weft([...asked, ...by(world, 'healer')]);
  t.equal(pending.code, 0);
  t.match(pending.out, /waits for approvals\napprovals\s+0 of 2/);
  t.match(pending.err, /2 more people must agree .* weft intent approve/);
  const json = await weft([...asked, '--json', ...by(world, 'healer')]);
  t.match(JSON.parse(json.out), { status: 'pending', approvals: 0, approvalsNeeded: 2 });

  world.next = vector('intents.denied');
  const denied = await weft([...asked, ...by(world, 'healer')]);
  t.equal(denied.code, 1);
  t.match(denied.err, /is denied: forbidden by no-two-at-once. \[POLICY_DENIED\]/);

  world.next = 'TARGET_COOLDOWN';
  const refused = await weft([...asked, ...by(world, 'healer')]);
  t.equal(refused.code, 1);
  t.match(refused.err, /this target rests .* \[TARGET_COOLDOWN\]/);
});

t.test('propose: what makes no sense is said before anything is sent', async (t) => {
  const world = await setUp(t);
  const file = join(world.home, 'effect.json');
  const restart = (...members: string[]) => effectOf('service.restart', members);
  t.strictSame(restart('host=web-3', 'service=a=b'), { host: 'web-3', service: 'a=b' });
  t.strictSame(effectOf('route.open', ['port=443']), { port: 443 }, 'a number where the schema has one');
  t.throws(() => effectOf('rm.everything', []), { code: 'USAGE', message: /weft intent actions/ });
  t.throws(() => restart('host=web-3', 'port=1'), { code: 'USAGE', message: /host=… service=… once/ });
  t.throws(() => restart('host=web-3', 'host=web-4'), { code: 'USAGE' });
  t.throws(() => effectOf('process.renice', ['pid=x']), { code: 'USAGE', message: /whole number/ });
  writeFileSync(file, '[]');
  t.throws(() => effectFrom(file, []), { code: 'USAGE', message: /no JSON object/ });
  t.throws(() => effectFrom(file, ['host=a']), { code: 'USAGE' });
  t.throws(() => effectFrom(join(world.home, 'none'), []), { code: 'FILE_UNREADABLE' });
  const request = { audience: 'actuator-web-1', ttlMs: 1000 };
  const proposal = (action: string, effect: JsonObject) => () => proposeIntent({ ...request, action, effect });
  const invalid = (message: RegExp) => ({ code: 'INTENT_INVALID', message });
  t.throws(proposal('rm.everything', {}), invalid(/there are cache.clear/));
  t.throws(proposal('service.restart', { host: 'a' }), invalid(/lacks the member "service"/));
  t.throws(proposal('service.restart', { host: 'a', service: 'a;b' }), invalid(/service does not have the form/));
  const route = { host: 'a', source: '10.0.0.1/24', destination: '10.0.0.0/24', port: 1, protocol: 'tcp' };
  t.throws(proposal('route.open', route), invalid(/canonically/));
  writeFileSync(file, JSON.stringify({ ...route, source: '::/0' }));
  world.next = vector('intents.denied');
  const args = ['intent', 'propose', 'route.open', '--effect', file, '--audience', 'actuator-web-1'];
  t.equal((await weft([...args, ...by(world, 'healer')])).code, 1);
  t.equal(world.sent[0]?.body['resource'], 'route/a/::/0/10.0.0.0/24/1/tcp');
});

t.test('approve, consume, report, cancel: by the beginning of an id', async (t) => {
  const world = await setUp(t);
  const { intent } = fakeIntent();
  world.api.knownIntents.push(fakeIntent(), fakeIntent({ intent: `${intent.slice(0, 6)}${'0'.repeat(58)}` }));
  const short = intent.slice(0, 8);
  const run = (command: string, ...args: string[]) => weft(['intent', command, ...args]);
  t.match((await run('approve', intent.slice(0, 5), ...by(world, 'warden'))).err, /INTENT_AMBIGUOUS/);
  t.match((await run('approve', 'ffffffff', ...by(world, 'warden'))).err, /INTENT_UNKNOWN/);
  t.equal((await run('approve', 'the first', ...by(world, 'warden'))).code, 2);
  world.next = { ...vector('intents.approved'), intent };
  t.match((await run('approve', short, ...by(world, 'warden'))).out, /approvals\s+1 of 2/);
  world.next = vector('intents.consumed');
  const consumed = await run('consume', short, '--json', ...by(world, 'actuator-web-1'));
  const { attempt } = JSON.parse(consumed.out);
  t.match(attempt, /^[A-Za-z0-9_-]{22}$/);
  t.equal(
    (await run('report', short, '--attempt', attempt, '--outcome', 'fine', ...by(world, 'actuator-web-1'))).code,
    2,
  );
  const kept = join(world.home, 'output.txt');
  writeFileSync(kept, 'restarted');
  world.next = vector('intents.reported');
  const args = [short, '--attempt', attempt, '--outcome', 'done', '--result', kept, ...by(world, 'actuator-web-1')];
  t.equal((await run('report', ...args)).code, 0);
  world.next = vector('intents.cancelled');
  t.match((await run('cancel', short, ...by(world, 'healer'))).out, /cancelled in block 13/);
  const result = createHash('sha256').update('restarted').digest('hex');
  t.strictSame(world.sent, [
    { account: 'warden', type: 'intents.approve', body: { intent } },
    { account: 'actuator-web-1', type: 'intents.consume', body: { grant: intent, attempt } },
    { account: 'actuator-web-1', type: 'intents.report', body: { grant: intent, attempt, outcome: 'done', result } },
    { account: 'healer', type: 'intents.cancel', body: { intent } },
  ]);
});

t.test('show, list, alerts, actions', async (t) => {
  const { api, url } = await setUp(t);
  const { intent } = fakeIntent();
  const query = (...args: string[]) => weft([...args, '--rpc', url]);
  t.match((await query('intent', 'list')).out, 'Nobody has asked for anything.');
  api.knownIntents.push(
    fakeIntent(),
    fakeIntent({
      intent: hash('other'),
      status: 'denied',
      decided: { index: 1, version: 1, reasons: [], why: 'POLICY_DENIED' },
    }),
  );
  const list = await query('intent', 'list');
  t.match(list.out, new RegExp(`${intent.slice(0, 12)}  service.restart  .*  waits \\(1 of 2\\)`));
  t.match(list.out, /denied: POLICY_DENIED/);
  const waiting = await query('intent', 'list', '--audience', 'actuator-web-1', '--status', 'pending');
  t.match(waiting.out, /waits \(1 of 2\)/);
  t.notMatch(waiting.out, /denied/);
  t.match((await query('intent', 'list', '--audience', 'nobody')).out, 'There is none of these.');
  t.match(await query('intent', 'list', '--status', 'over'), { code: 2, err: /--status is 'pending' or 'granted'/ });
  const show = await query('intent', 'show', intent.slice(0, 8));
  t.match(show.out, /effect\s+\{"host":"web-3","service":"nginx"\}/);
  t.match(show.out, /approvals\s+1 of 2 {2}warden/);
  t.equal(JSON.parse((await query('intent', 'show', intent, '--json')).out).intent, intent);
  t.match((await query('intent', 'show', hash('none'))).err, /INTENT_UNKNOWN/);
  t.match((await query('query', 'alerts')).out, 'There are none.');
  api.openAlerts.push({
    alert: hash('alert'),
    by: null,
    kind: 'intent-unreported',
    source: 'actuator-web-1',
    window: { from: 1, to: 2 },
    count: 1,
    evidence: [],
    height: 1,
    time: 3,
    index: 4,
  });
  t.match((await query('query', 'alerts')).out, /intent-unreported {2}actuator-web-1 .* the ledger/);
  t.match((await weft(['intent', 'actions'])).out, /service.restart\n {2}host {5}Where/);
});
