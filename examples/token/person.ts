// Who approves: a person at a browser with a security key (all real but for the key, which Chromium brings in software), or, where
// there is no Chromium, an account with a plain key, and then the story says so.
import { randomBytes } from 'node:crypto';
import { toBase64Url } from '../../src/codec/base64.ts';
import { concat, encodeUtf8 } from '../../src/codec/utf8.ts';
import { publicKeyOf } from '../../src/crypto/ed25519.ts';
import { INVITATION_BYTES, openInvitation } from '../../src/crypto/enrolment.ts';
import { sha256Hex } from '../../src/crypto/hash.ts';
import { ALG_ED25519, keyId } from '../../src/crypto/keyId.ts';
import type { StoryNetwork } from './network.ts';

/** A page of a browser with a security key in it, as test/browser/chromium.ts drives one. */
export type KeyPage = {
  goto(url: string): Promise<void>;
  click(selector: string): Promise<void>;
  text(selector?: string): Promise<string>;
  waitFor<T>(expression: string): Promise<T>;
};

export type Person = {
  readonly account: string;
  readonly key: string;
  /** Becomes an account of the network that may approve. Answers how. */
  enrol(): Promise<string>;
  /** Looks at what waits, and approves it. Answers what was shown before the key was touched. */
  approve(intent: string): Promise<readonly string[]>;
};

/** Restarts are approved with a security key here; without one, the set of the network asks for any key (network.ts). */
export function personOf(network: StoryNetwork, page: KeyPage | undefined): Person {
  return page === undefined ? withPlainKey(network) : withSecurityKey(network, page);
}

function withSecurityKey(network: StoryNetwork, page: KeyPage): Person {
  const account = 'ada';
  return {
    account,
    key: 'a security key, in a browser',
    async enrol() {
      // As `weft identity invite ada --roles approver` does.
      const invitation = new Uint8Array(randomBytes(INVITATION_BYTES));
      const { secret, seed } = openInvitation(invitation);
      const publicKey = publicKeyOf(seed);
      await network.send('council', 'identity.ticket', {
        digest: sha256Hex(concat(encodeUtf8('weft/ticket/v1'), secret)),
        account,
        roles: ['approver'],
        redeemer: `enrol.${keyId(ALG_ED25519, publicKey)}`,
        key: toBase64Url(publicKey),
        expires: Date.now() + 600_000,
      });
      await page.goto(`${network.origin}/enrol#${toBase64Url(invitation)}`);
      await page.click('#enrol');
      await page.waitFor(`document.querySelector('#keyid')`);
      return `Ada opens her invitation at ${network.origin}/enrol and makes a key: ${await page.text('#keyid')}. She may approve.`;
    },
    async approve(intent) {
      await page.goto(`${network.origin}/approve#intent/${intent}`);
      await page.waitFor(`document.querySelector('#approve:not(:disabled)')`);
      const shown = linesOf(await page.text('main'));
      await page.click('#approve');
      await page.waitFor(`document.querySelector('#outcome .notice')`);
      const outcome = await page.text('#outcome');
      if (!/granted/i.test(outcome)) throw new Error(`the page says: ${outcome}`);
      return shown;
    },
  };
}

function withPlainKey(network: StoryNetwork): Person {
  return {
    account: 'steward',
    key: 'a plain key (no browser here, so no security key)',
    enrol: async () => 'The account "steward" may approve, from the start of the network.',
    async approve(intent) {
      await network.send('steward', 'intents.approve', { intent });
      return [];
    },
  };
}

/** The request in the page's own words: what is asked for, and the first facts about it, a name and a value each. */
function linesOf(text: string): string[] {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const [, title = '', ...facts] = lines;
  const pairs = Array.from({ length: 4 }, (_, i) => `${(facts[2 * i] ?? '').padEnd(10)}  ${facts[2 * i + 1] ?? ''}`);
  return [title, ...pairs];
}
