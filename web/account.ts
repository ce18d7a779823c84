// Whom the key answers for. The ledger knows accounts by name; a key does not say whose it is.
import type { AccountRecord } from '../schemas/types/account-record.ts';
import type { NodeStatus } from '../schemas/types/rpc.ts';
import { fromBase64Url } from '../src/codec/base64.ts';
import type { EnvelopeSignature } from '../src/crypto/dsse.ts';
import { verifyWebAuthn } from '../src/crypto/webauthn.ts';
import { element } from './dom.ts';
import { rememberAccount, rememberedAccount } from './frame.ts';
import { Failure, stateAt } from './rpc.ts';
import { touch } from './securityKey.ts';

export type PersonKey = Extract<AccountRecord['keys'][number], { readonly alg: 'webauthn-p256' }>;
export type Me = { readonly account: string; readonly keys: readonly PersonKey[] };

/** The account with its keys that answer on this page; undefined when it has none, or may not sign. */
export async function readMe(account: string): Promise<Me | undefined> {
  const record = await stateAt<AccountRecord>(`identity/account/${account}`);
  const keys = (record?.keys ?? []).filter(
    (key): key is PersonKey => key.alg === 'webauthn-p256' && key.origin === location.origin,
  );
  return record?.status === 'active' && keys.length > 0 ? { account, keys } : undefined;
}

/**
 * A touch of one of the account's keys, as a transaction holds it.
 * @throws Failure KEY_NOT_MINE before anything is sent
 */
export async function signAs({ keys }: Me, message: Uint8Array): Promise<EnvelopeSignature> {
  const [first] = keys;
  if (first === undefined) throw new Failure('KEY_NOT_MINE', 'The account has no security key.');
  const assertion = await touch(first, message);
  const key = keys.find((each) => verifyWebAuthn(message, assertion, fromBase64Url(each.publicKey), each));
  if (key === undefined)
    throw new Failure('KEY_NOT_MINE', 'The key that answered is none of this account. Use the one that you enrolled.');
  return { keyid: key.keyid, alg: 'webauthn-p256', ...assertion };
}

/** A field for the name, which this browser then remembers. */
export function accountForm({ chain }: NodeStatus, onRemembered: () => void = () => undefined): HTMLElement {
  const input = element('input', {
    id: 'account',
    name: 'account',
    value: rememberedAccount(chain),
    autocomplete: 'username',
    autocapitalize: 'none',
    spellcheck: 'false',
  });
  const said = element('span', { class: 'quiet', role: 'status' });
  const form = element(
    'form',
    {},
    element('label', {}, 'Your account', input),
    element('button', { type: 'submit', class: 'plain' }, 'Remember'),
    said,
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const account = input.value.trim();
    rememberAccount(chain, account);
    said.textContent = account === '' ? 'Forgotten.' : 'Remembered in this browser.';
    onRemembered();
  });
  return element('section', { 'aria-label': 'Your account' }, element('div', { class: 'card' }, form));
}
