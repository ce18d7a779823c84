// Enrolment: an invitation and a fresh security key become an account.
import { ed25519 } from '@noble/curves/ed25519.js';
import { sha256 } from '@noble/hashes/sha2.js';
import type { NodeStatus, TxFinalized } from '../schemas/types/rpc.ts';
import { fromBase64Url, toBase64Url } from '../src/codec/base64.ts';
import { toHex } from '../src/codec/hex.ts';
import { concat, encodeUtf8 } from '../src/codec/utf8.ts';
import { INVITATION_BYTES, type Invitation, openInvitation } from '../src/crypto/enrolment.ts';
import { ALG_ED25519, ALG_P256, keyId } from '../src/crypto/keyId.ts';
import { readMe } from './account.ts';
import { anotherKeyPart } from './anotherKey.ts';
import { button, element, facts, notice, Steps, show, until } from './dom.ts';
import { problem, readStatus, rememberAccount, rememberedAccount } from './frame.ts';
import { Failure, stateAt } from './rpc.ts';
import { makeProvenKey, obstacleHere, relyingPartyHere } from './securityKey.ts';
import { draftOf, refusalWords, send } from './transaction.ts';

/** State at `identity/ticket/<digest>`. */
type Ticket = {
  readonly account: string;
  readonly roles: readonly string[];
  readonly redeemer: string;
  readonly issuer: string;
  readonly expires: number;
  readonly status: 'open' | 'used';
};

const title = element('h1', {}, 'Enrol your security key');

/** Takes the invitation out of the address, so that neither history nor a copied address keeps it. */
function takeInvitation(): string {
  const text = location.hash.slice(1);
  if (text !== '') history.replaceState(null, '', location.pathname);
  return text;
}

async function start(text: string): Promise<void> {
  try {
    const status = await readStatus();
    const obstacle = obstacleHere();
    if (obstacle !== undefined) return show(true, title, notice('careful', 'Not here', element('p', {}, obstacle)));
    if (text === '') return await askForInvitation(status);
    const invitation = openInvitation(invitationBytes(text));
    const ticket = await stateAt<Ticket>(`identity/ticket/${digestOf(invitation)}`);
    if (ticket === undefined)
      throw new Failure('TICKET_UNKNOWN', 'No such invitation is on this network. Is it for another one?');
    if (ticket.status === 'used') throw new Failure('TICKET_USED', refusalWords('TICKET_USED'));
    if (ticket.expires <= status.finalized.time) throw new Failure('TICKET_EXPIRED', refusalWords('TICKET_EXPIRED'));
    offer(invitation, ticket, status);
  } catch (error) {
    show(true, title, problem('This invitation cannot be used', error), retry());
  }
}

function retry(): HTMLElement {
  return element(
    'p',
    { class: 'actions' },
    button('Use another invitation', { class: 'plain' }, () => void start('')),
  );
}

function invitationBytes(text: string): Uint8Array {
  try {
    return fromBase64Url(text.trim().replace(/^.*#/, ''), INVITATION_BYTES);
  } catch {
    throw new Failure('INVITATION_INVALID', 'An invitation is a link, or the 43 characters at its end. Was it cut?');
  }
}

/** As contracts/identity/tickets.ts has it. */
function digestOf({ secret }: Invitation): string {
  return toHex(sha256(concat(encodeUtf8('weft/ticket/v1'), secret)));
}

async function askForInvitation(status: NodeStatus): Promise<void> {
  const account = rememberedAccount(status.chain);
  const me = account === '' ? undefined : await readMe(account);
  const input = element('input', {
    id: 'invitation',
    name: 'invitation',
    required: true,
    autocomplete: 'off',
    spellcheck: 'false',
    placeholder: 'https://…/enrol#…',
  });
  const form = element(
    'form',
    {},
    element('label', {}, 'Invitation', input),
    element('button', { type: 'submit' }, 'Open'),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void start(input.value.trim());
  });
  show(
    true,
    title,
    element(
      'p',
      { class: 'quiet' },
      'Whoever administers the network sends you an invitation: a link that works once.',
    ),
    element('div', { class: 'card' }, form),
    me !== undefined && anotherKeyPart(me, status),
  );
}

function offer(invitation: Invitation, ticket: Ticket, status: NodeStatus): void {
  const party = relyingPartyHere();
  const outcome = element('div', {});
  const steps = new Steps('Make a key', 'Sign with it once', 'Registered on the ledger');
  const enrolButton = button('Make my key', { id: 'enrol' }, () => {
    enrolButton.disabled = true;
    outcome.replaceChildren();
    enrol(invitation, ticket, status, steps).then(
      ({ keyid, done }) => enrolled(ticket, status, keyid, done),
      (error: unknown) => {
        steps.at(-1);
        enrolButton.disabled = false;
        outcome.replaceChildren(problem('Not enrolled', error));
      },
    );
  });
  steps.at(-1);
  show(
    true,
    title,
    element('p', {}, `You are invited to take part as `, element('strong', {}, ticket.account), '.'),
    element(
      'div',
      { class: 'card' },
      facts(
        ['Account', ticket.account],
        ['Roles', ticket.roles.join(', ') || 'none'],
        ['Invited by', ticket.issuer],
        ['Good until', until(ticket.expires, status.finalized.time)],
        ['Your key is for', element('span', {}, party.origin)],
      ),
    ),
    element(
      'p',
      { class: 'quiet' },
      'You need a security key, or a phone or computer with a fingerprint reader or PIN. It asks you twice: once to make the key, once to prove that you hold it.',
    ),
    steps.list,
    element('p', { class: 'actions' }, enrolButton),
    outcome,
  );
}

async function enrol(
  { secret, seed }: Invitation,
  ticket: Ticket,
  status: NodeStatus,
  steps: Steps,
): Promise<{ keyid: string; done: TxFinalized }> {
  const { chain } = status;
  steps.at(0);
  const key = await makeProvenKey(chain, ticket.account, () => steps.at(1));
  steps.at(2);
  const { finalized } = await readStatus();
  const body = { secret: toBase64Url(secret), keys: [key] };
  const draft = draftOf({ chain, account: ticket.redeemer, type: 'identity.redeem', body }, finalized.time);
  const keyid = keyId(ALG_ED25519, ed25519.getPublicKey(seed));
  const done = await send(draft, { keyid, alg: 'ed25519', sig: ed25519.sign(draft.message, seed) });
  steps.at(3);
  return { keyid: keyId(ALG_P256, fromBase64Url(key.publicKey)), done };
}

function enrolled({ account }: Ticket, { chain }: NodeStatus, keyid: string, done: TxFinalized): void {
  rememberAccount(chain, account);
  show(
    true,
    element('h1', {}, `Welcome, ${account}`),
    notice('good', 'Your key is registered.', element('p', {}, 'From now on your touch signs for this account.')),
    element(
      'div',
      { class: 'card' },
      facts(
        ['Account', element('span', { id: 'account' }, account)],
        ['Key', element('code', { id: 'keyid' }, keyid)],
        ['Block', String(done.height)],
        ['Transaction', element('code', {}, done.id)],
      ),
    ),
    element(
      'p',
      { class: 'quiet' },
      'Lost the key? Tell an administrator at once: a suspended account signs nothing any more.',
    ),
    element('p', {}, element('a', { href: '/approve' }, 'See what waits for approval')),
  );
}

addEventListener('hashchange', () => void start(takeInvitation()));
void start(takeInvitation());
