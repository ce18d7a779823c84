// A person in a real browser: enrols with an invitation and a fresh security key, approves what waits, and is stopped.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { decodeTransaction } from '../../contracts/transaction.ts';
import type { AccountRecord } from '../../schemas/types/account-record.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/codec/utf8.ts';
import { decodeEnvelope, encodeEnvelope } from '../../src/crypto/dsse.ts';
import { TestNetwork } from '../e2e/network.ts';
import { launchChromium, noChromium, type Page } from './chromium.ts';

const main = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');
/** `WEFT_TEST_PICTURES=folder` keeps what the pages look like. */
const pictures = process.env['WEFT_TEST_PICTURES'];

function weft(...args: string[]): { code: number | null; out: string; said: string } {
  const env = { ...process.env, NODE_OPTIONS: '' };
  const run = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...args], {
    encoding: 'utf8',
    env,
  });
  return { code: run.status, out: run.stdout.trim(), said: run.stderr };
}

async function picture(page: Page, name: string): Promise<void> {
  if (pictures === undefined) return;
  mkdirSync(pictures, { recursive: true });
  for (const scheme of ['light', 'dark'] as const) {
    await page.colours(scheme);
    await page.screenshot(join(pictures, `${name}-${scheme}.png`));
  }
}

const isolate = (service: string) => ({
  action: 'service.isolate',
  resource: `service/web-1/${service}`,
  effect: { host: 'web-1', service, mode: 'network' },
  ttlMs: 60_000,
  audience: 'actuator-web-1',
  maxUses: 1,
  dryRun: false,
});

t.test('enrol, approve, stop', { skip: noChromium, timeout: 240_000 }, async (t) => {
  const network = await TestNetwork.make({ validators: 1 });
  t.teardown(() => network.remove());
  network.startAll();
  const browser = await launchChromium();
  if (browser === undefined) return;
  t.teardown(() => browser.close());
  await network.ready();
  const name = network.names[0] ?? '';
  const client = network.client(name);
  const rpc = network.validators[0]?.rpc ?? '';
  const origin = rpc.replace('127.0.0.1', 'localhost');
  const asCouncil = ['--home', network.net.home, '--account', 'council', '--rpc', rpc];
  const send = async (account: string, type: string, body: object): Promise<string> => {
    const transaction = await network.signed(account, type, body as never);
    await client.submitAndWait(transaction);
    return transaction.id;
  };

  const invited = weft('identity', 'invite', 'ada', '--roles', 'approver', ...asCouncil);
  t.equal(invited.code, 0, invited.said);
  t.ok(invited.out.startsWith(`${origin}/enrol#`), 'the link has a name that browsers make keys for');

  const page = await browser.open();
  await page.size(900, 640);
  const key = await page.addAuthenticator();
  await page.goto(invited.out);
  await page.waitFor(`document.querySelector('#enrol')`);
  t.equal(await page.evaluate('location.hash'), '', 'the invitation is not left in the address');
  t.match(await page.text(), /You are invited to take part as ada/);
  await picture(page, 'enrol');
  await page.click('#enrol');
  await page.waitFor(`document.querySelector('#keyid')`);
  const keyid = await page.text('#keyid');
  const ada = (await client.state('identity/account/ada')).value as unknown as AccountRecord;
  t.match(ada, { status: 'active', roles: ['approver'] });
  t.match(ada.keys, [{ keyid, alg: 'webauthn-p256', rpId: 'localhost', origin }]);
  t.equal((await key.credentials()).length, 1);
  await picture(page, 'enrolled');

  // A second key, for a drawer: made with the new one, signed by the one that she has.
  const spare = await page.addAuthenticator();
  await key.setTouched(false);
  await page.goto(`${origin}/enrol`);
  await page.click('#another');
  await page.waitFor(`document.querySelector('#confirm')`);
  await spare.setTouched(false);
  await key.setTouched(true);
  await page.click('#confirm');
  await page.waitFor(`document.querySelector('#added .notice.good')`);
  const both = (await client.state('identity/account/ada')).value as unknown as AccountRecord;
  t.match(both.keys, [{ keyid }, { alg: 'webauthn-p256', rpId: 'localhost', origin }]);
  t.equal(both.keys.length, 2);
  await spare.remove();

  await page.goto('about:blank');
  await page.goto(invited.out);
  await page.waitFor(`document.querySelector('.notice.wrong')`);
  t.match(await page.text(), /TICKET_USED/, 'once');

  const intent = await send('healer', 'intents.propose', isolate('nginx'));
  await page.goto(`${origin}/approve#intent/${intent}`);
  await page.waitFor(`document.querySelector('#approve')`);
  t.match(await page.text(), /Cut the service nginx on web-1 off/);
  t.match(await page.text(), /intents.change-by-operator/, 'the policy that asked');
  await picture(page, 'intent');
  await page.click('#approve');
  await page.waitFor(`document.querySelector('#outcome .notice')`);
  t.match(await page.text('#outcome'), /Approved and granted/);
  await picture(page, 'approved');
  const id = await page.text('#transaction');
  const grant = (await client.state(`intents/grant/${intent}`)).value as { status: string; approvals: string[] };
  t.match(grant, { status: 'granted', approvals: ['ada'] });

  // The envelope as the ledger holds it: the page has spelled the signature as everybody must.
  const found = await client.call('tx.get', { id });
  const index = found.status === 'finalized' ? found.index : -1;
  const { leaf } = await client.call('log.entry', { index });
  const bytes = encodeUtf8(JSON.stringify((JSON.parse(leaf) as { envelope: object }).envelope));
  const tx = decodeTransaction(bytes);
  t.match(tx.signatures, [{ keyid, alg: 'webauthn-p256', userVerified: true }]);
  t.match(tx, { account: 'ada', type: 'intents.approve', body: { intent } });

  // The same answer of the key under another body: a challenge is for one transaction.
  const envelope = decodeEnvelope(bytes);
  const payload = encodeUtf8(decodeUtf8(envelope.payload).replace(/"nonce":"[^"]*"/, '"nonce":"AAAAAAAAAAA"'));
  const replayed = decodeUtf8(encodeEnvelope({ ...envelope, payload }));
  await t.rejects(client.call('tx.submit', { envelope: replayed }), { code: 'SIGNATURE_INVALID' });

  // What waits for the council is shown too, and is not ada's to approve.
  const propose = (change: object): Promise<string> =>
    send('council', 'governance.propose', { change, notBefore: 0, expires: Date.now() + 3_600_000 });
  const proposal = await propose({ kind: 'pause', paused: true });
  await send('healer', 'intents.propose', isolate('redis'));
  await page.goto(`${origin}/approve`);
  await page.waitFor(`document.querySelector('#waiting')`);
  t.match(await page.text('#waiting'), /Pause all grants/);
  t.match(await page.text('#waiting'), /Cut the service redis on web-1 off/);
  await picture(page, 'list');
  await page.click(`a[href="#proposal/${proposal}"]`);
  await page.click('#approve');
  await page.waitFor(`document.querySelector('#outcome .notice.wrong')`);
  t.match(await page.text('#outcome'), /POLICY_DENIED|NOT_COUNCIL/);

  // Until she sits there: then her touch decides for the council.
  const decide = async (change: object): Promise<void> => {
    await send('council', 'governance.approve', { proposal: await propose(change) });
  };
  await decide({ kind: 'council', threshold: 1, members: ['ada', 'council'] });
  await page.goto('about:blank');
  await page.goto(`${origin}/approve#proposal/${proposal}`);
  await page.click('#approve');
  await page.waitFor(`document.querySelector('#transaction')`);
  t.match((await client.state(`governance/proposal/${proposal}`)).value, { approvals: ['ada'] });
  await decide({ kind: 'pause', paused: false });
  await decide({ kind: 'council', threshold: 1, members: ['council'] });

  // A touch without PIN is not asked for here, so the browser gives none.
  const second = await send('healer', 'intents.propose', isolate('postgres'));
  await key.setUserVerified(false);
  await page.goto(`${origin}/approve#intent/${second}`);
  await page.waitFor(`document.querySelector('h1')?.textContent.includes('postgres')`);
  await page.click('#approve');
  await page.waitFor(`document.querySelector('#outcome .notice.wrong')`);
  t.match(await page.text('#outcome'), /KEY_NOT_USED/);
  await key.setUserVerified(true);

  const stopped = weft('identity', 'suspend', 'ada', '--reason', 'key lost', ...asCouncil);
  t.equal(stopped.code, 0, stopped.said);
  await page.click('#approve');
  await page.waitFor(`document.querySelector('#outcome .notice.wrong code')?.textContent === 'ACCOUNT_INACTIVE'`);
  t.match((await client.state(`intents/grant/${second}`)).value, { status: 'pending' });

  // Whoever replays the chain comes to the same answers.
  const archive = join(network.dir, 'chain.weft');
  const exported = weft('export', '--home', network.net.home, '--validator', name, '--out', archive);
  t.equal(exported.code, 0, exported.said);
  const audited = weft('audit', archive, '--genesis', network.net.genesis);
  t.equal(audited.code, 0, audited.out + audited.said);

  t.same(page.problems, [], 'nothing that the pages complained about');
  t.same(
    page.requests.filter((url) => url !== 'about:blank' && !url.startsWith(`${origin}/`)),
    [],
    'nothing from elsewhere',
  );
  t.same(network.complaints(), []);
});
