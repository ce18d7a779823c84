// Whom the key answers for. The ledger knows accounts by name; a key does not say whose it is.
import type { AccountRecord } from '../schemas/types/account-record.ts';
import type { NodeStatus } from '../schemas/types/rpc.ts';
import { element } from './dom.ts';
import { rememberAccount, rememberedAccount } from './frame.ts';
import { stateAt } from './rpc.ts';

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
