// The way of a token as `npm run demo:token` tells it, on four real validators, with a real service that is really restarted.
import t from 'tap';
import { type Teller, tell } from '../../examples/token/story.ts';
import { launchChromium } from '../browser/chromium.ts';

const silent: Teller = {
  chapter: () => undefined,
  say: () => undefined,
  facts: () => undefined,
  table: () => undefined,
};

t.test('asked for, approved, proven, consumed once, done, reported; and nothing else', async (t) => {
  const browser = await launchChromium();
  t.teardown(() => browser?.close());
  const page = await browser?.open();
  await page?.addAuthenticator();
  const told = await tell(silent, page);
  t.equal(told.approver, browser === undefined ? 'steward' : 'ada', 'a person with a security key, where there is one');
  t.strictSame(page?.problems ?? [], [], 'nothing that the pages complained about');
  t.ok(told.silentBefore, 'the service was hanging');
  t.ok(told.answersAfter, 'and answers');
  t.not(told.pidAfter, told.pidBefore, 'it is another process');
  t.equal(told.acts, 1);
  t.match(told.report, { use: 1, outcome: 'done', reported: true });
  t.strictSame(told.uses, [true], 'one use, with an outcome, whatever was tried');
  t.ok(told.tokenBytes <= 4096, `${told.tokenBytes} bytes`);
  const codes = Object.fromEntries(told.refused.map(({ what, code }) => [what, code]));
  t.strictSame(codes, {
    'used again by the one that used it': 'EXECUTOR_USED_UP',
    'used by a second one with the same key, on another replica': 'STATUS_USED_UP',
    'consumed once more all the same': 'GRANT_USED_UP',
    "shown with the first one's proof of consume": 'CONSUMED_OTHER_ATTEMPT',
    'used by another executor': 'TOKEN_AUDIENCE',
    'used for something else': 'TOKEN_EFFECT',
    'changed by one character': 'TOKEN_PROOF_INVALID',
    'checked with a status of some seconds ago': 'STATUS_STALE',
    'cancelled by who asked for it': 'STATUS_CANCELLED',
    'while the council has paused everything': 'STATUS_PAUSED',
    'consumed while paused': 'INTENTS_PAUSED',
    'when who asked for it is suspended': 'STATUS_SUSPENDED',
    'consumed with a key that was revoked': 'KEY_INACTIVE',
    'granted under a policy that is superseded': 'STATUS_POLICY_SUPERSEDED',
    'too late': 'TOKEN_EXPIRED',
  });
});
