// The pages for people as they leave the server: under which names, with which policy, and nothing else of the disk.
import { request } from 'node:http';
import t from 'tap';
import { rpcConfig } from '../../src/node/config.ts';
import { createRpcServer } from '../../src/rpc/server.ts';
import { fakeNode } from './fakeNode.ts';

type Answer = { readonly status: number; readonly headers: Record<string, unknown>; readonly body: string };

/** `fetch` chooses the Host itself; a browser that was led here by a name of others does not. */
function get(port: number, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, headers: { host: `localhost:${port}`, ...headers } }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk) => (body += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    })
      .on('error', reject)
      .end();
  });
}

async function serve(t: { teardown(close: () => unknown): void }, overrides = {}): Promise<number> {
  const server = await createRpcServer({ api: fakeNode(), config: rpcConfig({ port: 0, ...overrides }) });
  t.teardown(() => server.close());
  return server.port;
}

t.test('both pages, with a policy that lets nothing foreign in', async (t) => {
  const port = await serve(t);
  for (const page of ['/approve', '/enrol', '/approve?x=1']) {
    const { status, headers, body } = await get(port, page);
    t.equal(status, 200, page);
    t.match(headers['content-type'], 'text/html; charset=utf-8');
    const policy = String(headers['content-security-policy']);
    for (const part of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'none'"])
      t.ok(policy.includes(part), part);
    t.notMatch(policy, /unsafe|http:|https:|\*/);
    t.match(headers, {
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
    });
    t.notMatch(body, /<script(?![^>]*src=)|\son[a-z]+=|style="/, 'no inline script, no inline style');
    t.notMatch(body, /(?:src|href)="(?!\/(?:pages\/|approve|enrol)|#)/, 'nothing from elsewhere');
  }
});

t.test('what the pages are made of, and nothing else', async (t) => {
  const port = await serve(t);
  const seen = new Set<string>();
  const follow = async (path: string): Promise<void> => {
    if (seen.has(path)) return;
    seen.add(path);
    const { status, headers, body } = await get(port, path);
    t.equal(status, 200, path);
    t.equal(headers['content-type'], 'text/javascript; charset=utf-8');
    for (const [, name = ''] of body.matchAll(/^(?:import|export)\s[^'"();=]*?\bfrom\s*['"]([^'"]+)['"]/gm)) {
      t.match(name, /^(?:\.|\/pages\/)/, `${path}: a browser finds ${name}`);
      await follow(new URL(name, `http://localhost${path}`).pathname);
    }
  };
  for (const page of ['approve', 'enrol']) {
    const { body } = await get(port, `/${page}`);
    await follow(/src="([^"]+)"/.exec(body.slice(body.indexOf('<script')))?.[1] ?? '');
  }
  t.ok(seen.has('/pages/src/crypto/webauthn.ts'), 'the very rule of the ledger');
  t.ok(seen.size > 25 && seen.size < 60, `${seen.size} modules`);
  t.notOk([...seen].some((path) => /ledger|node\/|sodium|contracts/.test(path)));
  for (const path of [
    '/pages/package.json',
    '/pages/src/crypto/keyfile.ts',
    '/pages/web/../package.json',
    '/pages/web/%2e%2e/package.json',
    '/pages/..%2fpackage.json',
    '/pages/',
    '/pages/web/approve.html',
    '/pages/__proto__',
  ]) {
    const { status } = await get(port, path);
    t.equal(status, 404, path);
  }
});

t.test('a page that the browser has is not sent again', async (t) => {
  const port = await serve(t);
  for (const path of ['/approve', '/pages/style.css', '/pages/icon.svg', '/pages/web/dom.ts']) {
    const { headers } = await get(port, path);
    const again = await get(port, path, { 'if-none-match': String(headers['etag']) });
    t.equal(again.status, 304, path);
    t.equal(again.body, '');
  }
});

t.test('under which names', async (t) => {
  const port = await serve(t);
  const numbers = await get(port, '/enrol', { host: `127.0.0.1:${port}` });
  t.equal(numbers.status, 302, 'no browser makes keys for an address in numbers');
  t.equal(numbers.headers['location'], `http://localhost:${port}/enrol`);
  for (const host of ['evil.example', `localhost.evil.example:${port}`, 'localhost:x', '127.0.0.1.evil.example']) {
    const { status, body } = await get(port, '/approve', { host });
    t.equal(status, 403, host);
    t.match(body, 'rpc.webauthn');
  }
  const webauthn = { rpId: 'example.net', origin: 'https://weft.example.net' };
  const behind = await serve(t, { webauthn });
  const { status, body } = await get(behind, '/approve', { host: 'weft.example.net' });
  t.equal(status, 200);
  t.match(body, 'data-rp-id="example.net" data-origin="https://weft.example.net"');
  const call = (origin: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${behind}/rpc`, {
      method: 'POST',
      headers: { origin, 'content-type': 'application/json' },
      body: '{"jsonrpc":"2.0","id":1,"method":"node.status"}',
    });
  t.equal((await call(webauthn.origin)).status, 200, 'the page may call its node');
  t.equal((await call('https://evil.example')).status, 403, 'and pages of others may not');
  t.equal((await call('https://example.net')).status, 403);
});

t.test('a relying party that no browser would have is no configuration', async (t) => {
  for (const webauthn of [
    { rpId: 'example.net', origin: 'https://example.org' },
    { rpId: 'example.net', origin: 'http://example.net' },
    { rpId: 'example.net', origin: 'https://example.net:443' },
  ])
    t.throws(() => rpcConfig({ webauthn }), { code: 'CONFIG_INVALID' });
});
