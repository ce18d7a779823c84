// `weft/token` as browsers load it, in a real one: the same answers as in Node, to what holds and to what does not.
import { readFileSync } from 'node:fs';
import t from 'tap';
import { codeOf } from '../../src/codec/error.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { statusPaths, verifyToken } from '../../src/token/node.ts';
import { formatTrust } from '../../src/token/trust.ts';
import { encodeWalk } from '../../src/token/walk.ts';
import { launchChromium, type Page } from '../browser/chromium.ts';
import { serveModules } from '../browser/modules.ts';
import { timeS } from '../log/sample.ts';
import { tokenOf, tokenVectorsUrl } from './makeVectors.ts';
import { mutate } from './mutate.ts';
import { grantIndex, intent, SampleChain } from './statusSample.ts';

t.setTimeout(120_000);

const vectors = JSON.parse(readFileSync(tokenVectorsUrl, 'utf8'));
const rule = JSON.parse(readFileSync(new URL('../vectors/crypto/ed25519-rule.json', import.meta.url), 'utf8'));

/** Runs `body` in the page with `loaded` and `args`. */
function inPage<T>(page: Page, body: string, args: unknown): Promise<T> {
  return page.evaluate<T>(
    `((args) => { const codeFor = (run) => { try { run(); return 'accepted'; } catch (error) { return error instanceof loaded.WeftError ? error.code : String(error); } };
    ${body} })(${JSON.stringify(args)})`,
  );
}

t.test('weft/token in Chromium', async (t) => {
  const browser = await launchChromium();
  if (browser === undefined) return;
  t.teardown(() => browser.close());
  t.comment(await browser.version());
  const served = await serveModules('src/token/browser.ts');
  t.teardown(served.close);
  const page = await browser.open(served.url);
  await page.waitFor('window.loaded?.verifyToken !== undefined');

  const tokens: { name: string; leaf: string; token: string }[] = vectors.tokens;
  const found = await inPage<object[]>(
    page,
    'return args.tokens.map(({ token }) => { const { kind, index, record, checkpoint } = loaded.verifyToken(token, { trust: args.trust }); return { kind, index, record, checkpoint }; });',
    { tokens, trust: vectors.trust },
  );
  for (const [n, { name, token }] of tokens.entries()) {
    const { kind, index, record, checkpoint } = verifyToken(token, { trust: vectors.trust });
    t.same(found[n], { kind, index, record, checkpoint }, name);
  }

  const changed = Array.from({ length: 300 }, (_, seed) => mutate(tokens[seed % tokens.length]!.token, seed));
  const here = changed.map((token) => {
    try {
      verifyToken(token, { trust: vectors.trust });
      return 'accepted';
    } catch (error) {
      return codeOf(error);
    }
  });
  const there = await inPage<string[]>(
    page,
    'return args.changed.map((token) => codeFor(() => loaded.verifyToken(token, { trust: args.trust })));',
    { changed, trust: vectors.trust },
  );
  t.same(there, here, 'the same codes for 300 changed tokens');
  t.notOk(there.includes('accepted'));

  const chain = new SampleChain();
  const trust = formatTrust(sha256, { ...chain.network.trust, epoch: 1 });
  const answers = await inPage<object>(
    page,
    `const { trust, now } = args;
    return {
      status: loaded.checkStatus(args.token, args.status, { trust, now }).usesLeft,
      stale: codeFor(() => loaded.checkStatus(args.token, args.status, { trust, now: now + 60000 })),
      claim: loaded.verifyClaim(args.proof, { kind: 'policy', version: 3 }, { trust, now }).words,
      walk: loaded.walkTrust(args.walk, { trust, now }).trust.epoch,
      effect: loaded.effectDigest({ b: 1, a: 'x' }),
    };`,
    {
      trust,
      now: 1000 * (timeS + 2),
      token: tokenOf(chain.log, chain.network, grantIndex),
      status: chain.status(statusPaths({ intent, requester: 'remedy.engine', audience: 'actuator-web-3' })),
      proof: chain.status(['governance/policy/current']),
      walk: encodeWalk([], chain.log.checkpoint(chain.network)),
    },
  );
  t.match(answers, { status: 1, stale: 'STATUS_STALE', claim: /Policy set 3/, walk: 1, effect: /^[0-9a-f]{64}$/ });
  t.same(
    page.problems.filter((each) => !each.includes('favicon')),
    [],
  );
  t.ok(
    page.requests.every((url) => url.startsWith(served.url)),
    'nobody else was asked for anything',
  );
});

t.test('the signature rule in Chromium', async (t) => {
  const browser = await launchChromium();
  if (browser === undefined) return;
  t.teardown(() => browser.close());
  const served = await serveModules('src/crypto/reference.ts');
  t.teardown(served.close);
  const page = await browser.open(served.url);
  await page.waitFor('window.loaded?.verifyReference !== undefined');
  const cases: { name: string; zip215: boolean }[] = [...rule.speccheck, ...rule.honestKey, ...rule.smallOrder];
  const answers = await page.evaluate<boolean[]>(
    `(${JSON.stringify(cases)}).map(({ message, publicKey, signature }) => {
      const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
      return loaded.verifyReference(bytes(message), bytes(signature), bytes(publicKey));
    })`,
  );
  const wrong = cases.filter(({ zip215 }, n) => answers[n] !== zip215).map(({ name }) => name);
  t.same(wrong, [], `${cases.length} cases of ZIP 215`);
});
