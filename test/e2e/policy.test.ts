// The policy of a running network: a set made to harm, a new set by two of three, what it refuses, the kill switch, and an audit of it all.
import { appendFileSync, cpSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { JsonObject } from '../../contracts/types.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { sha256Hex } from '../../src/crypto/hash.ts';
import { readDefaultPolicySet } from '../../src/policy/defaultSet.ts';
import { weft } from '../cli/run.ts';
import { freeBase } from '../freePorts.ts';
import { TestNetwork } from './network.ts';

t.setTimeout(240_000);
const network = await TestNetwork.make({ basePort: await freeBase(4) });
t.teardown(() => network.remove());
network.startAll();
await network.ready();

const digestOf = (text: string): string => sha256Hex(encodeUtf8(text));
const initial = readDefaultPolicySet();

/** Finalized; the code when it was refused. */
async function send(
  account: string,
  type: string,
  body: JsonObject,
): Promise<{ id: string; refused: string | undefined }> {
  const tx = await network.signed(account, type, body);
  const status = await network.client('v1').submitAndWait(tx, { allowRefused: true });
  return { id: tx.id, refused: status.refused };
}

async function propose(change: JsonObject): Promise<{ id: string; refused: string | undefined }> {
  return send('council', 'governance.propose', { change, notBefore: 0, expires: Date.now() + 600_000 });
}

/** By these, in their order; answers when it is in force. */
async function approve(proposal: string, ...members: readonly string[]): Promise<void> {
  for (const member of members) {
    const { refused } = await send(member, 'governance.approve', { proposal });
    if (refused !== undefined) throw new Error(refused);
  }
}

async function stateOf(path: string): Promise<unknown> {
  return (await network.client('v1').state(path)).value;
}

async function untilState(path: string, holds: (value: never) => boolean): Promise<void> {
  for (const deadline = Date.now() + 60_000; !holds((await stateOf(path)) as never); ) {
    if (Date.now() > deadline) throw new Error(`${path} is ${JSON.stringify(await stateOf(path))}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const clearing: JsonObject = {
  action: 'cache.clear',
  resource: 'cache/web-1/thumbnails',
  effect: { host: 'web-1', cache: 'thumbnails' },
  ttlMs: 60_000,
  audience: 'actuator-web-1',
  maxUses: 1,
  dryRun: false,
};

t.test('two of three decide from here on', async (t) => {
  const members = ['council', 'steward', 'warden'];
  const { id } = await propose({ kind: 'council', threshold: 2, members });
  await approve(id, 'council');
  await untilState('governance/council/current', ({ threshold }: { threshold: number }) => threshold === 2);
  t.match(await stateOf('governance/council/current'), { members });
});

t.test('a set that is made to harm is refused on the ledger, and everybody goes on voting', async (t) => {
  const when = (condition: string): string => `permit (principal, action, resource) when { ${condition} };`;
  const doubling = Array.from({ length: 30 }, (_, i) => `type T${i} = { a: T${i + 1}, b: T${i + 1} };`).join('\n');
  const texts = {
    nested: when(`${'('.repeat(140)}true${')'.repeat(140)}`),
    chained: when(`${'true && '.repeat(1000)}true`),
    doubling: `${doubling}\ntype T30 = Long;\n${initial.schema
      .split('\n')
      .filter((line) => !line.startsWith('//'))
      .join('\n')}`,
  };
  for (const text of Object.values(texts))
    t.equal((await send('council', 'governance.text', { text })).refused, undefined);
  const of = (schema: string, extra: string | undefined): JsonObject => {
    const policies = initial.policies.map(({ id, text }) => ({ id, text: digestOf(text) }));
    return {
      kind: 'policy',
      schema: digestOf(schema),
      policies: extra === undefined ? policies : [...policies, { id: 'zz', text: digestOf(extra) }],
      minValid: 2,
    };
  };
  t.equal((await propose(of(initial.schema, texts.nested))).refused, 'POLICY_SET_TOO_DEEP');
  t.equal((await propose(of(initial.schema, texts.chained))).refused, 'POLICY_SET_TOO_DEEP');
  t.equal((await propose(of(texts.doubling, undefined))).refused, 'POLICY_SCHEMA_TOO_LARGE');
  const statuses = await network.ready();
  t.strictSame(
    statuses.map(({ notVoting }) => notVoting),
    ['', '', '', ''],
  );
});

t.test('a new set, from a folder to what it refuses', async (t) => {
  const folder = join(network.dir, 'policy');
  cpSync(join(import.meta.dirname, '..', '..', 'genesis', 'policy'), folder, { recursive: true });
  appendFileSync(
    join(folder, 'default.cedar'),
    '\n@id("cache.frozen")\nforbid (principal, action == Action::"cache.clear", resource);\n',
  );
  const rpc = network.net.validators[0]?.rpc ?? '';
  const who = ['--home', network.dir, '--account', 'council', '--rpc', rpc];
  const proposed = await weft(['governance', 'propose', 'policy', '--dir', folder, '--json', ...who]);
  t.equal(proposed.code, 0, proposed.err);
  const { proposal } = JSON.parse(proposed.out) as { proposal: string };
  await approve(proposal, 'council');
  t.match(await stateOf('governance/policy/current'), { version: 1 }, 'one is not enough');
  t.equal((await send('healer', 'intents.propose', clearing)).refused, undefined);
  await approve(proposal, 'warden');
  await untilState('governance/policy/current', ({ version }: { version: number }) => version === 2);
  const denied = await network.signed('healer', 'intents.propose', clearing);
  const { index } = await network.client('v1').submitAndWait(denied);
  const { leaf } = await network.client('v1').entry(index + 1);
  t.match(JSON.parse(leaf), { type: 'intents.denied', policy: { version: 2, reasons: ['cache.frozen'] } });
  const { policy } = await network.client('v2').status();
  t.equal(policy.version, 2);
  t.equal(
    (await send('operator', 'governance.approve', { proposal })).refused,
    'POLICY_DENIED',
    'and who may not, still may not',
  );
});

t.test('the kill switch: nothing is granted, the ledger goes on; and back', async (t) => {
  const renice: JsonObject = {
    ...clearing,
    action: 'service.restart',
    resource: 'service/web-1/nginx',
    effect: { host: 'web-1', service: 'nginx' },
  };
  const pause = await propose({ kind: 'pause', paused: true });
  await approve(pause.id, 'steward', 'council');
  await untilState('governance/pause/current', ({ paused }: { paused: boolean }) => paused);
  t.equal((await send('healer', 'intents.propose', renice)).refused, 'INTENTS_PAUSED');
  t.equal((await network.client('v3').submitAndWait(await network.packet())).status, 'finalized');
  const resume = await propose({ kind: 'pause', paused: false });
  await approve(resume.id, 'warden', 'steward');
  await untilState('governance/pause/current', ({ paused }: { paused: boolean }) => !paused);
  t.not((await send('healer', 'intents.propose', renice)).refused, 'INTENTS_PAUSED');
});

t.test('an audit replays each block under the set of its time', async (t) => {
  const file = join(network.dir, 'chain.weft');
  await network.signal('v1', 'SIGTERM');
  const exported = await weft(['export', '--home', network.dir, '--validator', 'v1', '--out', file]);
  t.equal(exported.code, 0, exported.err);
  const audited = await weft(['audit', file, '--json']);
  t.equal(audited.code, 0, audited.err);
  t.match(JSON.parse(audited.out), { ok: true });
});
