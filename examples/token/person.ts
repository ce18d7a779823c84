// Who approves: a person at a browser with a security key (both real but for the key, which is Chromium's own in software), or,
// where there is no Chromium, an account with a plain key, and then the story says so.
import { randomBytes } from 'node:crypto';
import { toBase64Url } from '../../src/codec/base64.ts';
import { toHex } from '../../src/codec/hex.ts';
import { concat, encodeUtf8 } from '../../src/codec/utf8.ts';
import { publicKeyOf } from '../../src/crypto/ed25519.ts';
import { openInvitation } from '../../src/crypto/enrolment.ts';
import { sha256, sha256Hex } from '../../src/crypto/hash.ts';
import type { StoryNetwork } from './network.ts';

/** A page of a browser with a security key in it: what test/browser/chromium.ts drives. */
export type KeyPage = {
  goto(url: string): Promise<void>;
  click(selector: string): Promise<void>;
  text(selector?: string): Promise<string>;
  waitFor<T>(expression: string): Promise<T>;
  readonly problems: readonly string[];
};

export type Person = {
  readonly account: string;
  readonly how: string;
  /** Becomes an account of the network that may approve. */
  enrol(): Promise<string>;
  /** Looks at what waits, and approves it. Answers what was seen. */
  approve(intent: string): Promise<string>;
};

export function personWithSecurityKey(network: StoryNetwork, page: KeyPage): Person {
  const account = 'ada';
  return {
    account,
    how: 'a security key, on a page in a browser',
    async enrol() {
      const invitation = new Uint8Array(randomBytes(32));
      const { secret, seed } = openInvitation(invitation);
      const key = publicKeyOf(seed);
      await network.send('council', 'identity.ticket', {
        account,
        digest: sha256Hex(concat(encodeUtf8('weft/ticket/v1'), secret)),
        roles: ['approver'],
        redeemer: redeemerOf(key),
        key: toBase64Url(key),
        expires: Date.now() + 600_000,
      });
      await page.goto(`${network.origin}/enrol#${toBase64Url(invitation)}`);
      await page.click('#enrol');
      await page.waitFor(`document.body.innerText.includes('registered')`);
      return page.text('main');
    },
    async approve(intent) {
      await page.goto(`${network.origin}/approve`);
      void intent;
      return page.text('main');
    },
  };
}

export function personWithPlainKey(network: StoryNetwork): Person {
  return {
    account: 'steward',
    how: 'a plain key (no security key here: there is no browser)',
    async enrol() {
      return 'steward is an account of the network from its start';
    },
    async approve(intent) {
      await network.send('steward', 'intents.approve', { intent });
      return 'approved by command';
    },
  };
}

/** Name of the account that redeems an invitation: one for each. */
function redeemerOf(key: Uint8Array): string {
  return `guest-${toHex(sha256(key)).slice(0, 16)}`;
}
