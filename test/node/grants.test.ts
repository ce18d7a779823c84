// From an intent to an outcome on running nodes, with tokens and statuses as an executor has them: any node makes them.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import t from 'tap';
import type { JsonObject } from '../../contracts/types.ts';
import { codeOf } from '../../src/codec/error.ts';
import { formatVkey } from '../../src/log/vkey.ts';
import { rpcConfig } from '../../src/node/config.ts';
import { createRpcServer } from '../../src/rpc/server.ts';
import { checkStatus, effectDigest, readTrust, verifyConsumed, verifyToken } from '../../src/token/node.ts';
import { weft } from '../cli/run.ts';
import { codeFor } from '../codeFor.ts';
import { buildVerifier, verifyLog } from '../interop/verifylog.ts';
import { all, fourVoting, published } from './epochNet.ts';

t.setTimeout(120_000);

t.test('grant, status, consume, outcome', async (t) => {
  const net = await fourVoting(t);
  const trust = readTrust(net.node('v1').api.trust());
  const anyNode = () => net.node(all[Math.floor(Math.random() * 4)] ?? 'v1').api;

  const intentOf = (action: string, resource: string, effect: JsonObject, more: JsonObject = {}): JsonObject => ({
    action,
    resource,
    effect,
    ttlMs: 60_000,
    audience: 'actuator-web-1',
    maxUses: 1,
    dryRun: false,
    ...more,
  });
  const propose = (body: JsonObject): Promise<string> => net.send('healer', 'intents.propose', body);
  const consume = async (grant: string, attempt = randomBytes(16).toString('base64url')) => ({
    attempt,
    tx: await net.send('actuator-web-1', 'intents.consume', { grant, attempt }),
  });
  /** The status as some node makes it once it covers all that is final now; the code that it is refused with. */
  const statusNow = async (token: string) => {
    const { height } = net.status('v1').finalized;
    const verified = verifyToken(token, { trust });
    if (verified.kind !== 'grant') throw new Error('no grant');
    for (;;) {
      const text = await published(() => anyNode().tokenStatus(verified.grant.intent));
      const { block } = JSON.parse(text) as { block: { leaf: string } };
      if (JSON.parse(Buffer.from(block.leaf, 'base64').toString()).height < height) {
        await sleep(50);
        continue;
      }
      try {
        return checkStatus(token, text, { trust, now: Date.now() });
      } catch (error) {
        return codeOf(error);
      }
    }
  };

  const effect = { host: 'web-3', service: 'nginx' };
  const restart = await propose(intentOf('service.restart', 'service/web-3/nginx', effect));
  const token = await published(() => anyNode().token({ intent: restart }));
  t.ok(token.length <= 4096, `a token of ${token.length} bytes`);
  const checks = { trust, now: Date.now(), audience: 'actuator-web-1', effect: effectDigest(effect) };
  const verified = verifyToken(token, checks);
  if (verified.kind !== 'grant') throw new Error('no grant');
  const { grant } = verified;
  t.match(grant, { intent: restart, action: 'service.restart', requester: 'healer', approvers: [] });
  t.same(verified.unchecked, []);
  t.match(await statusNow(token), { usesLeft: 1, policy: { version: 1, minValid: 1 } });
  for (const name of all) {
    const text = await published(() => net.node(name).api.tokenStatus(restart));
    t.equal(checkStatus(verified, text, { trust, now: Date.now() }).usesLeft, 1, `as ${name} has it`);
  }

  // What a running network made, in the hands of verifiers that are not ours.
  const folder = t.testdir({
    token,
    trust: net.node('v1').api.trust(),
    status: await published(() => anyNode().tokenStatus(restart)),
  });
  const file = (name: string): string => join(folder, name);
  const python = await promisify(execFile)('python3', [
    join(import.meta.dirname, '../interop/python/verify.py'),
    ...['status', file('trust'), file('status'), String(Date.now()), file('token')],
  ]).catch((error: NodeJS.ErrnoException & { stdout?: string }) =>
    error.code === 'ENOENT' ? undefined : { stdout: error.stdout ?? '' },
  );
  if (python === undefined) t.comment('skipped: python3 is not installed');
  else t.match(JSON.parse(python.stdout), { holds: true, usesLeft: 1 }, python.stdout);
  const go = await buildVerifier();
  if ('reason' in go) t.comment(`skipped: ${go.reason}`);
  else {
    const keys = [
      ...trust.logs.flatMap((key) => ['-log', formatVkey(key)]),
      ...trust.cosigners.flatMap(({ key }) => ['-cosigner', formatVkey(key)]),
    ];
    const args = [...keys, '-quorum', String(trust.quorum), '-policy', file('trust'), '-proof', file('token')];
    const { ok, output } = await verifyLog(go.binary, args);
    t.ok(ok, output);
    t.match(output, /proof: leaf \d+ of \d+ holds/);
  }

  // The commands, as a person has them.
  const server = await createRpcServer({ api: net.node('v2').api, config: rpcConfig({ port: 0 }) });
  t.teardown(() => server.close());
  const rpc = ['--rpc', server.url];
  const [fetched, checked, document, proof] = await Promise.all([
    weft(['token', 'get', '--intent', restart, ...rpc]),
    weft([
      'token',
      'status',
      '--token',
      file('token'),
      '--trust',
      file('trust'),
      '--max-age',
      '60000',
      '--json',
      ...rpc,
    ]),
    weft(['token', 'status', '--grant', restart, ...rpc]),
    weft(['prove', 'account', 'healer', ...rpc]),
  ]);
  t.match(verifyToken(fetched.out, { trust }), { kind: 'grant', grant: { intent: restart } });
  t.match(JSON.parse(checked.out), { holds: true, usesLeft: 1 }, checked.err);
  t.match(checkStatus(token, document.out, { trust, now: Date.now(), maxStalenessMs: 60_000 }), { usesLeft: 1 });
  writeFileSync(file('proof'), proof.out);
  const said = await weft(['verify', 'account', 'healer', '--proof', file('proof'), '--trust', file('trust')]);
  t.match(said.out, /healer is registered and not suspended/, said.err);

  const { attempt, tx } = await consume(restart);
  const consumed = await published(() => anyNode().token({ tx }));
  const permission = verifyConsumed(consumed, { trust, grant, attempt, now: Date.now() });
  t.match(permission, { use: 1, tx });
  t.equal(permission.until, permission.time + grant.actWithinMs - 2_000);
  for (const [change, code] of [
    [{ attempt: randomBytes(16).toString('base64url') }, 'CONSUMED_OTHER_ATTEMPT'],
    [{ now: permission.until }, 'CONSUMED_TOO_LATE'],
    [{ grant: { ...grant, intent: 'ab'.repeat(32) } }, 'CONSUMED_OTHER_GRANT'],
  ] as const) {
    t.equal(
      codeFor(() => verifyConsumed(consumed, { trust, grant, attempt, now: Date.now(), ...change })),
      code,
    );
  }
  t.equal(
    codeFor(() => verifyConsumed(token, { trust, grant, attempt, now: Date.now() })),
    'TOKEN_KIND',
  );
  t.equal(await statusNow(token), 'STATUS_USED_UP');
  await net.send('actuator-web-1', 'intents.report', {
    grant: restart,
    attempt,
    outcome: 'done',
    result: 'cd'.repeat(32),
  });

  // One that needs an approval: its grant is a record of the approval, and is found by the intent all the same.
  const sysctl = { host: 'web-3', key: 'net.core.somaxconn', value: '1024' };
  const waiting = await propose(intentOf('sysctl.set', 'sysctl/web-3/net.core.somaxconn', sysctl));
  t.equal(
    codeFor(() => net.node('v1').api.token({ intent: waiting })),
    'GRANT_ABSENT',
  );
  await net.send('warden', 'intents.approve', { intent: waiting });
  const approved = await published(() => anyNode().token({ intent: waiting }));
  const second = verifyToken(approved, { trust, now: Date.now() });
  t.match(second, { kind: 'grant', grant: { intent: waiting, approvers: ['warden'] } });
  t.match(await statusNow(approved), { usesLeft: 1 });
  await net.send('healer', 'intents.cancel', { intent: waiting });
  t.equal(await statusNow(approved), 'STATUS_CANCELLED');

  const cache = { host: 'web-3', cache: 'nginx' };
  const twice = await propose(intentOf('cache.clear', 'cache/web-3/nginx', cache, { maxUses: 2 }));
  const clearing = await published(() => anyNode().token({ intent: twice }));
  t.match(await statusNow(clearing), { usesLeft: 2 });
  await consume(twice);
  t.match(await statusNow(clearing), { usesLeft: 1, uses: 1, maxUses: 2 });
  await net.send('operator', 'identity.suspend', { account: 'actuator-web-1', reason: 'drill' });
  t.equal(await statusNow(clearing), 'STATUS_SUSPENDED');
  await net.send('council', 'identity.resume', { account: 'actuator-web-1', reason: 'drill' });
  t.match(await statusNow(clearing), { usesLeft: 1 });
  const pause = await net.propose({ kind: 'pause', paused: true });
  await net.send('council', 'governance.approve', { proposal: pause });
  await net.until('paused', () => {
    const { value } = net.node('v1').api.state('governance/pause/current', false);
    return (value as { paused: boolean }).paused;
  });
  t.equal(await statusNow(clearing), 'STATUS_PAUSED');
});
