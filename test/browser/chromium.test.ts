// The driver itself, against a page of its own: a page is read, clicked and pictured, and a security key answers by the rule.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { fromBase64 } from '../../src/codec/base64.ts';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { assertedBytes, userVerified } from '../../src/crypto/webauthn.ts';
import { launchChromium, noChromium } from './chromium.ts';

const html = `<!doctype html><title>driver</title><input id="name"><button id="go" onclick="document.title = document.querySelector('#name').value">Go</button>`;

t.test('a page, a click, a picture, a security key', { skip: noChromium }, async (t) => {
  const browser = await launchChromium();
  if (browser === undefined) return;
  t.teardown(() => browser.close());
  const server = createServer((_request, response) => response.setHeader('content-type', 'text/html').end(html));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const origin = `http://localhost:${port}`;
  const page = await browser.open(`${origin}/`);

  await page.fill('#name', 'weft');
  await page.click('#go');
  t.equal(await page.waitFor(`document.title === 'weft' && document.title`), 'weft');
  await t.rejects(page.evaluate('nothing.there'), /nothing is not defined/);
  const folder = mkdtempSync(join(tmpdir(), 'weft-browser-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  await page.screenshot(join(folder, 'page.png'));
  t.equal(readFileSync(join(folder, 'page.png')).subarray(1, 4).toString(), 'PNG');

  const key = await page.addAuthenticator();
  const message = encodeUtf8('what is signed');
  const answer = await page.evaluate<{ authenticatorData: string; clientDataJSON: string }>(`(async () => {
    const challenge = await crypto.subtle.digest('SHA-256', new TextEncoder().encode('what is signed'));
    await navigator.credentials.create({ publicKey: { challenge, rp: { id: 'localhost', name: 'x' },
      user: { id: new Uint8Array(8), name: 'ada', displayName: 'Ada' }, pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' } } });
    const { response } = await navigator.credentials.get({ publicKey: { challenge, rpId: 'localhost', userVerification: 'required' } });
    const text = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));
    return { authenticatorData: text(response.authenticatorData), clientDataJSON: text(response.clientDataJSON) };
  })()`);
  const assertion = {
    authenticatorData: fromBase64(answer.authenticatorData),
    clientDataJSON: fromBase64(answer.clientDataJSON),
  };
  t.ok(assertedBytes(assertion, message, { rpId: 'localhost', origin }), 'a browser answers as the rule has it');
  t.notOk(assertedBytes(assertion, message, { rpId: 'localhost', origin: 'http://localhost:1' }));
  t.ok(userVerified(assertion.authenticatorData));
  t.equal((await key.credentials()).length, 1);
  t.same(
    page.problems.filter((each) => !each.includes('favicon')),
    [],
  );
});
