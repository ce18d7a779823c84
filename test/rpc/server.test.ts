// biome-ignore-all lint/suspicious/noExplicitAny: answers of a server under test are looked into freely
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { accountOf, accountOfBytes } from '../../src/node/claimedAccount.ts';
import { rpcConfig } from '../../src/node/config.ts';
import { clientKey, RateLimit } from '../../src/rpc/limits.ts';
import { Pending } from '../../src/rpc/pending.ts';
import { createRpcServer } from '../../src/rpc/server.ts';
import { checkpointText, fakeNode, hash, leafText, post, rpc } from './fakeNode.ts';

t.test('the log as files, with the headers that C2SP readers want', async (t) => {
  const api = fakeNode();
  const server = await createRpcServer({ api, config: rpcConfig({ port: 0 }) });
  t.teardown(() => server.close());
  const get = (path: string, headers = {}): Promise<Response> =>
    fetch(server.url + path, { headers: { 'accept-encoding': 'identity', ...headers }, redirect: 'error' });

  const checkpoint = await get('/checkpoint');
  t.equal(checkpoint.headers.get('content-type'), 'text/plain; charset=utf-8');
  t.equal(checkpoint.headers.get('cache-control'), 'no-cache');
  t.equal(await checkpoint.text(), checkpointText);

  const full = await get('/tile/0/000');
  t.equal(full.headers.get('content-type'), 'application/octet-stream');
  t.equal(full.headers.get('cache-control'), 'public, max-age=31536000, immutable');
  t.equal((await full.arrayBuffer()).byteLength, 8192);
  const partial = await get('/tile/0/001.p/3');
  t.equal(partial.headers.get('content-type'), 'application/octet-stream');
  t.notMatch(partial.headers.get('cache-control'), /immutable/);
  t.equal((await partial.arrayBuffer()).byteLength, 96);

  const plain = await get('/tile/entries/000');
  t.equal(plain.headers.get('content-encoding'), null);
  t.equal(await plain.text(), leafText.repeat(200));
  // fetch unpacks by itself, so what travels is read from a bare socket.
  const packed = await rawGet(server.port, '/tile/entries/000', 'gzip');
  t.match(packed.head, /content-encoding: gzip/i);
  t.equal(gunzipSync(packed.body).toString(), leafText.repeat(200));

  for (const path of [
    '/tile/0/999',
    '/tile/0/000.p/256',
    '/tile/0/000.p/0',
    '/tile/0/1',
    '/tile/64/000',
    '/tile/',
    `/tile/0/${'x001/'.repeat(40)}000`,
    '/tile/0/000/',
  ]) {
    const absent = await get(path);
    t.equal(absent.status, 404, path);
    t.not(absent.headers.get('cache-control'), 'public, max-age=31536000, immutable');
    await absent.arrayBuffer();
  }
  for (const path of ['/tile/entries/../0/000', '/tile/%2e%2e/secret', '//tile/0/000', '/tile/0/000%00']) {
    t.match((await rawGet(server.port, path, 'identity')).head, /^HTTP\/1.1 404/, path);
  }
  t.equal((await fetch(`${server.url}/tile/0/000`, { method: 'HEAD' })).status, 200);
  api.flags.checkpoint = false;
  t.equal((await get('/checkpoint')).status, 404);
});

t.test('health, readiness, metrics, unknown paths, a word for browsers', async (t) => {
  const api = fakeNode();
  const server = await createRpcServer({ api, config: rpcConfig({ port: 0 }) });
  t.teardown(() => server.close());
  await rpc(server.url, 'node.status');
  await rpc(server.url, 'made.up.name');
  t.equal((await fetch(`${server.url}/healthz`)).status, 200);
  t.equal((await fetch(`${server.url}/readyz`)).status, 200);
  api.flags.ready = false;
  api.flags.healthy = false;
  t.equal((await fetch(`${server.url}/healthz`)).status, 503);
  const unready = await fetch(`${server.url}/readyz`);
  t.same([unready.status, await unready.text()], [503, 'not ready: CATCHING_UP\n']);
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  t.match(metrics, 'weft_height 12');
  t.match(metrics, 'weft_rpc_requests_total{method="node.status",outcome="ok"} 1');
  t.match(metrics, 'weft_rpc_requests_total{method="unknown",outcome="RPC_METHOD_UNKNOWN"} 1');
  t.notMatch(metrics, 'made.up.name', 'labels come from fixed sets');
  const lost = await fetch(`${server.url}/nowhere`);
  t.equal(lost.status, 404);
  t.equal(((await lost.json()) as any).error.data.code, 'RPC_PATH_UNKNOWN');
  t.match(await (await fetch(server.url)).text(), /POST JSON-RPC/);
});

t.test('limits: body, content type, origin, rate by address, rate by account', async (t) => {
  const api = fakeNode();
  const server = await createRpcServer({
    api,
    config: rpcConfig({
      port: 0,
      bodyBytesMax: 1024,
      allowOrigins: ['https://good.example'],
      submitsPerSecond: 1,
      submitsBurst: 2,
    }),
  });
  t.teardown(() => server.close());
  const status = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'node.status' });
  const large = await post(server.url, ' '.repeat(2000));
  t.same([large.status, large.error.data.code], [413, 'RPC_BODY_TOO_LARGE']);
  const form = await post(server.url, status, { 'content-type': 'application/x-www-form-urlencoded' });
  t.same([form.status, form.error.data.code], [415, 'RPC_CONTENT_TYPE']);
  const evil = await post(server.url, status, { origin: 'https://evil.example' });
  t.same([evil.status, evil.error.data.code], [403, 'RPC_ORIGIN_REFUSED']);
  const rebound = await post(server.url, status, { origin: `http://evil.example:${server.port}` });
  t.equal(rebound.status, 403);
  t.equal((await post(server.url, status, { origin: 'https://good.example' })).status, 200);
  t.equal((await post(server.url, status, { origin: server.url })).status, 200, 'its own page');
  const preflight = await fetch(server.url, { method: 'OPTIONS', headers: { origin: 'https://good.example' } });
  t.same([preflight.status, preflight.headers.get('access-control-allow-origin')], [204, 'https://good.example']);

  const envelopeOf = (account: string, n: number): string =>
    JSON.stringify({ payload: Buffer.from(JSON.stringify({ account, n })).toString('base64') });
  const submit = async (account: string, n: number): Promise<string | undefined> =>
    (await rpc(server.url, 'tx.submit', { envelope: envelopeOf(account, n) })).error?.data.code;
  api.submitErrors.push(...Array.from({ length: 5 }, () => Object.assign(new Error(), {}) as any));
  for (let n = 0; n < 5; n++) t.equal(await submit('victim', n), 'INTERNAL');
  t.equal(await submit('victim', 10), undefined, 'what was not admitted costs the claimed account nothing');
  t.equal(await submit('victim', 11), undefined);
  const { error } = await rpc(server.url, 'tx.submit', { envelope: envelopeOf('victim', 12) });
  t.same([error.code, error.data.code, error.data.by], [-32002, 'RPC_RATE_LIMITED', 'account']);
  t.ok(error.data.retryAfterMs > 0);
  t.equal(await submit('other', 1), undefined, 'others are not held back');
  t.equal(accountOf(envelopeOf('a.b', 1)), 'a.b');
  t.equal(accountOf('{"payload":"!"}'), undefined);
  const long = `{"chain":"c","account":"a.b","body":"${'x'.repeat(900)}"}`;
  const bytes = Buffer.from(`{"payload":"${Buffer.from(long).toString('base64')}","payloadType":"x"}`);
  t.equal(accountOfBytes(new Uint8Array(bytes)), 'a.b');
  t.equal(accountOfBytes(new Uint8Array()), undefined);
  const claims = (text: string): string | undefined =>
    accountOf(`{"payload":"${Buffer.from(text).toString('base64')}","payloadType":"x"}`);
  t.equal(claims('{"chain":"c","account":"a.b","type":"x","body":{"text":"'.concat('x'.repeat(300), '"}}')), 'a.b');
  t.equal(claims('{"body":{"chain":"c","account":"victim"},"chain":"c","account":"a.b"}'), 'a.b', 'not of a body');
  t.equal(claims('{"chain":"\\",\\"account\\":\\"victim\\"","account":"a.b"}'), 'a.b', 'nor of a text');
  t.equal(
    claims('{"chain":"c","account":"victim"'.concat(',"account":"a.b"}')),
    'victim',
    'twice: decoding refuses it',
  );

  const tight = await createRpcServer({ api, config: rpcConfig({ port: 0, requestsPerSecond: 1, requestsBurst: 3 }) });
  t.teardown(() => tight.close());
  const codes = [];
  for (let i = 0; i < 4; i++) codes.push((await rpc(tight.url, 'node.status')).error?.data.code);
  t.same(codes, [undefined, undefined, undefined, 'RPC_RATE_LIMITED']);

  const dear = await createRpcServer({ api, config: rpcConfig({ port: 0, requestsPerSecond: 1, requestsBurst: 300 }) });
  t.teardown(() => dear.close());
  const batch = Array.from({ length: 9 }, (_, id) => ({ jsonrpc: '2.0', id, method: 'alerts.list', params: {} }));
  const response = await fetch(dear.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(batch),
  });
  const answers = (await response.json()) as any[];
  t.same(
    answers.map(({ error }) => error?.data.code),
    [undefined, undefined, ...Array.from({ length: 7 }, () => 'RPC_RATE_LIMITED')],
    'what is dear counts as several requests, also inside a batch',
  );

  const wide = await createRpcServer({ api, config: rpcConfig({ port: 0, requestsPerSecond: 1, requestsBurst: 8 }) });
  t.teardown(() => wide.close());
  api.transactions.set(hash('large'), { filler: 'x'.repeat(40_000) } as any);
  t.equal((await rpc(wide.url, 'tx.get', { id: hash('large') })).error, undefined);
  t.equal((await rpc(wide.url, 'node.status')).error?.data.code, 'RPC_RATE_LIMITED', 'answers count by their size');
});

t.test('files and pages count against the rate of an address, by number and by bytes', async (t) => {
  const server = await createRpcServer({
    api: fakeNode(),
    config: rpcConfig({ port: 0, requestsPerSecond: 1, requestsBurst: 30 }),
  });
  t.teardown(() => server.close());
  const get = (path: string): Promise<Response> => fetch(`${server.url}${path}`);
  t.equal((await get('/metrics')).status, 200);
  t.equal((await get('/checkpoint')).status, 200);
  const refused = await get('/metrics');
  t.equal(refused.status, 429, 'twenty more are not there');
  t.ok(Number(refused.headers.get('retry-after')) > 5);
  t.equal(((await refused.json()) as any).error.data.code, 'RPC_RATE_LIMITED');
  for (let i = 0; i < 40; i += 1) t.equal((await get('/healthz')).status, 200, 'who asks for life is always answered');
  let pages = 0;
  while ((await get('/pages/nothing')).status !== 429) pages += 1;
  t.ok(pages < 12, `${pages} more`);
  t.equal((await rpc(server.url, 'node.status')).error?.data.code, 'RPC_RATE_LIMITED', 'one rate for all');
  t.match(await (await get('/readyz')).text(), /ready/);
});

t.test('token buckets refill, allow a debt once, and forget the longest idle', async (t) => {
  let now = 0;
  const limit = new RateLimit({ perSecond: 10, burst: 5, keysMax: 2, now: () => now });
  t.equal(limit.take('a', 5), 0);
  t.equal(limit.take('a'), 100);
  now = 100;
  t.equal(limit.take('a'), 0);
  t.equal(limit.take('b', 50), 0, 'a full bucket lets one big batch through');
  t.equal(limit.take('b'), 4600, 'and then it owes');
  limit.take('c');
  t.equal(limit.size, 2);
  t.equal(limit.take('a', 5), 0, 'forgotten, so full again');
  t.equal(new RateLimit({ perSecond: 0, burst: 1, keysMax: 1 }).take('a', 1e9), 0, 'off');
  t.equal(clientKey('::ffff:1.2.3.4'), '1.2.3.4');
  t.equal(clientKey('2001:db8::1'), clientKey('2001:0db8:0:0:ffff::9'));
  t.not(clientKey('2001:db8::1'), clientKey('2001:db8:0:1::1'));
  t.equal(clientKey('::1'), '0:0:0:0');
  t.equal(clientKey(undefined), 'unknown');
});

t.test('closing answers who waits, and is quick', async (t) => {
  const api = fakeNode();
  const server = await createRpcServer({ api, config: rpcConfig({ port: 0 }) });
  const asked = Promise.withResolvers<void>();
  const wait = api.wait;
  Object.assign(api, {
    wait: (...given: Parameters<typeof wait>) => {
      asked.resolve();
      return wait(...given);
    },
  });
  const waiting = rpc(server.url, 'tx.wait', { id: hash('a'), timeoutMs: 60_000 });
  await asked.promise;
  await Promise.all([server.close(), server.close()]);
  t.equal((await waiting).error.data.code, 'RPC_SHUTTING_DOWN');
  await t.rejects(fetch(server.url));
});

t.test('a taken port says so; too many pending requests say so', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  t.teardown(() => taken.close());
  const port = (taken.address() as any).port;
  await t.rejects(createRpcServer({ api: fakeNode(), config: rpcConfig({ port }) }), { code: 'RPC_LISTEN_FAILED' });

  const server = await createRpcServer({ api: fakeNode(), config: rpcConfig({ port: 0, pendingMax: 1 }) });
  const first = rpc(server.url, 'tx.wait', { id: hash('a') });
  await new Promise((resolve) => setTimeout(resolve, 50));
  const { error } = await rpc(server.url, 'node.status');
  t.same([error.code, error.data.code], [-32002, 'RPC_BUSY']);
  await server.close();
  await first;
});

t.test('one client leaves room for others', async (t) => {
  const pending = new Pending(8);
  const never = (): Promise<void> => new Promise(() => {});
  const held = [pending.run('a', never), pending.run('a', never)];
  for (const each of held) each.catch(() => {});
  await t.rejects(pending.run('a', never), { code: 'RPC_BUSY' });
  t.equal(await pending.run('b', async () => 7), 7);
  t.equal(await pending.run('b', async () => 8), 8, 'what was answered counts no more');
  pending.close();
  await t.rejects(held[0]!, { code: 'RPC_SHUTTING_DOWN' });
  await t.rejects(pending.run('b', never), { code: 'RPC_SHUTTING_DOWN' });
});

t.test('TLS, and client certificates where asked for', async (t) => {
  const dir = t.testdir({});
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: dir, stdio: 'ignore' });
  };
  try {
    const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
    openssl(
      'req',
      '-x509',
      ...ec,
      '-keyout',
      'key.pem',
      '-out',
      'cert.pem',
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=IP:127.0.0.1',
    );
    openssl('req', '-x509', ...ec, '-keyout', 'client.key', '-out', 'client.pem', '-subj', '/CN=client');
  } catch {
    t.comment('skipped: openssl is not here');
    return;
  }
  const tls = { cert: join(dir, 'cert.pem'), key: join(dir, 'key.pem'), clientCa: join(dir, 'client.pem') };
  const server = await createRpcServer({ api: fakeNode(), config: rpcConfig({ port: 0, tls }) });
  t.teardown(() => server.close());
  t.match(server.url, /^https:/);
  const read = (name: string): Buffer => readFileSync(join(dir, name));
  const get = (options: object): Promise<number> =>
    new Promise((resolve, reject) => {
      httpsRequest(`${server.url}/healthz`, { ca: read('cert.pem'), agent: false, ...options }, (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      })
        .on('error', reject)
        .end();
    });
  t.equal(await get({ cert: read('client.pem'), key: read('client.key') }), 200);
  await t.rejects(get({}), 'no certificate, no answer');
  const lost = rpcConfig({ port: 0, tls: { cert: '/nonexistent', key: '/nonexistent' } });
  await t.rejects(createRpcServer({ api: fakeNode(), config: lost }), { code: 'RPC_TLS_FILES' });
});

async function rawGet(port: number, path: string, encoding: string): Promise<{ head: string; body: Buffer }> {
  const { connect } = await import('node:net');
  const chunks: Buffer[] = [];
  await new Promise<void>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\naccept-encoding: ${encoding}\r\nconnection: close\r\n\r\n`);
    });
    socket.on('data', (chunk) => chunks.push(Buffer.from(chunk)));
    socket.on('end', resolve);
    socket.on('error', reject);
  });
  const whole = Buffer.concat(chunks);
  const at = whole.indexOf('\r\n\r\n');
  return { head: whole.subarray(0, at).toString(), body: whole.subarray(at + 4) };
}
