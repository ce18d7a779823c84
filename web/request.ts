// One request in plain words, the exact document, what the key will sign, and the touch that approves it.
import { sha256 } from '@noble/hashes/sha2.js';
import type { NodeStatus, TxFinalized } from '../schemas/types/rpc.ts';
import { canonicalJson } from '../src/codec/canonical.ts';
import { toHex } from '../src/codec/hex.ts';
import type { Json } from '../src/codec/json.ts';
import { encodeUtf8 } from '../src/codec/utf8.ts';
import { accountForm, type Me, readMe, signAs } from './account.ts';
import { type Asked, type IntentState, type Kind, readAsked, readIntent } from './asked.ts';
import { button, clock, duration, element, facts, notice, Steps, until } from './dom.ts';
import { problem, readStatus, rememberAccount, rememberedAccount } from './frame.ts';
import { obstacleHere } from './securityKey.ts';
import { type Draft, draftOf, send } from './transaction.ts';
import { readOne, type Waiting } from './waiting.ts';

/** A draft that is about to expire is made anew before it is signed. */
const draftLeftMs = 60_000;

/** All that stands on the page about it. `again`: shows it anew. @throws Failure ASKED_*, and what the node refuses with */
export async function requestView(kind: Kind, id: string, status: NodeStatus, again: () => void): Promise<Node[]> {
  const asked = await readAsked(kind, id);
  const intent = kind === 'intent' ? await readIntent(id) : undefined;
  const waiting = await readOne(kind, id);
  return [
    element('span', { class: 'tag' }, kind === 'intent' ? 'Action' : 'Council'),
    element('h1', {}, asked.words),
    element(
      'div',
      { class: 'card' },
      kind === 'intent' ? intentFacts(asked, intent, waiting, status) : proposalFacts(asked, waiting, status),
    ),
    kind === 'intent' ? effectOf(asked) : documentOf('What would change', asked.body['change'] ?? null),
    waiting === undefined
      ? notice('careful', 'This does not wait any more.')
      : await approvalPart(asked, status, again),
    element('p', {}, element('a', { href: '#' }, 'Back to the list')),
  ];
}

function intentFacts(
  { id, body, requester, found }: Asked,
  intent: IntentState | undefined,
  waiting: Waiting | undefined,
  status: NodeStatus,
): HTMLElement {
  const policies = found.records.flatMap(({ record }) => {
    const { policy } = record as { readonly policy?: { readonly reasons?: readonly string[] } };
    return policy?.reasons ?? [];
  });
  return facts(
    ['Action', element('code', {}, String(body['action']))],
    ['Resource', element('code', {}, String(body['resource']))],
    ['Asked by', requester],
    ['Done by', String(body['audience'])],
    ['How often', body['maxUses'] === 1 ? 'once' : `up to ${body['maxUses']} times`],
    ['Within', `${duration(Number(body['ttlMs']))} after the grant, or less where policy says so`],
    ['Dry run', body['dryRun'] === true && 'yes: nothing is changed'],
    ['Policy', policies.length > 0 && `${policies.join(', ')} (version ${intent?.policy.version ?? '?'})`],
    ['Approvals', approvalWords(waiting)],
    ['Approve with', intent?.approverKey === 'webauthn' && 'a security key that knows you'],
    ['Waits until', waiting !== undefined && until(waiting.expires, status.finalized.time)],
    ['Asked at', clock(found.time)],
    ['Request', element('code', {}, id)],
  );
}

function proposalFacts(
  { id, body, requester, found }: Asked,
  waiting: Waiting | undefined,
  status: NodeStatus,
): HTMLElement {
  const notBefore = body['notBefore'];
  return facts(
    ['Proposed by', requester],
    ['Approvals', approvalWords(waiting)],
    ['Not before', typeof notBefore === 'number' && notBefore > 0 && `block ${notBefore}`],
    ['Open until', waiting !== undefined && until(waiting.expires, status.finalized.time)],
    ['Proposed at', clock(found.time)],
    ['Proposal', element('code', {}, id)],
  );
}

function approvalWords(waiting: Waiting | undefined): string | undefined {
  if (waiting === undefined) return undefined;
  const { approvals, needed } = waiting;
  return `${approvals.length} of ${needed}${approvals.length > 0 ? `: ${approvals.join(', ')}` : ''}`;
}

function effectOf({ body }: Asked): HTMLElement {
  const effect = body['effect'] ?? null;
  const digest = toHex(sha256(encodeUtf8(canonicalJson(effect))));
  return element(
    'section',
    {},
    documentOf('Exactly this', effect),
    element('p', { class: 'quiet' }, 'Digest that the executor compares: ', element('code', {}, digest)),
  );
}

function documentOf(title: string, document: Json): HTMLElement {
  const text = JSON.stringify(document, null, 2);
  return element('section', {}, element('h2', {}, title), element('pre', { tabindex: '0' }, text));
}

async function approvalPart(asked: Asked, status: NodeStatus, again: () => void): Promise<HTMLElement> {
  const obstacle = obstacleHere();
  if (obstacle !== undefined) return notice('careful', 'You cannot approve here.', element('p', {}, obstacle));
  const account = rememberedAccount(status.chain);
  if (account === '') return element('section', {}, element('h2', {}, 'Who are you?'), accountForm(status, again));
  const me = await readMe(account);
  if (me !== undefined) return approveForm(asked, status, me, again);
  return element(
    'section',
    {},
    notice(
      'careful',
      `${account} has no security key for this page.`,
      element(
        'p',
        {},
        'It is not registered, or suspended, or its keys are for another address. ',
        element('a', { href: '/enrol' }, 'Enrol with an invitation'),
        ', or name another account:',
      ),
    ),
    accountForm(status, again),
  );
}

function approveForm(asked: Asked, status: NodeStatus, me: Me, again: () => void): HTMLElement {
  const act =
    asked.kind === 'intent'
      ? { type: 'intents.approve', body: { intent: asked.id } }
      : { type: 'governance.approve', body: { proposal: asked.id } };
  const wanted = { chain: status.chain, account: me.account, ...act };
  const signed = element('pre', { id: 'signed', tabindex: '0' });
  const challenge = element('code', {});
  const newDraft = (nodeTime: number): Draft => {
    const made = draftOf(wanted, nodeTime);
    signed.textContent = made.text;
    challenge.textContent = made.challenge;
    return made;
  };
  let draft = newDraft(status.finalized.time);
  const steps = new Steps('Sign with your key', 'Sent', 'Final on the ledger');
  steps.at(-1);
  const outcome = element('div', { id: 'outcome' });
  const run = async (): Promise<void> => {
    const { finalized } = await readStatus();
    if (draft.expires - finalized.time < draftLeftMs) draft = newDraft(finalized.time);
    steps.at(0);
    const signature = await signAs(me, draft.message);
    steps.at(1);
    const done = await send(draft, signature);
    steps.at(3);
    actions.remove();
    outcome.replaceChildren(approved(asked, done));
  };
  const approveButton = button('Approve with my key', { id: 'approve' }, () => {
    approveButton.disabled = true;
    outcome.replaceChildren();
    run().catch((error: unknown) => {
      steps.at(-1);
      approveButton.disabled = false;
      outcome.replaceChildren(problem('Not approved', error));
    });
  });
  const otherAccount = button('Another account', { class: 'plain' }, () => {
    rememberAccount(status.chain, '');
    again();
  });
  const actions = element('p', { class: 'actions' }, approveButton, otherAccount);
  return element(
    'section',
    {},
    element('h2', {}, `Approve as ${me.account}`),
    element(
      'details',
      {},
      element('summary', {}, 'What your key will sign'),
      element('p', { class: 'quiet' }, 'This text. It names the request by the hash of all that stands above:'),
      signed,
      element('p', { class: 'quiet' }, 'Challenge (SHA-256): ', challenge),
    ),
    steps.list,
    actions,
    outcome,
  );
}

function approved({ kind }: Asked, done: TxFinalized): HTMLElement {
  const types = done.records.map(({ record }) => (record as { readonly type?: string }).type);
  const isGranted = kind === 'intent' && types.includes(undefined);
  if (types.includes('intents.denied')) {
    const text = `Your approval is in block ${done.height}, and the request is over.`;
    return notice('careful', 'Policy denies it now.', element('p', {}, text));
  }
  const waits = kind === 'intent' && !isGranted ? ' It waits for further approvals.' : '';
  return notice(
    'good',
    isGranted ? 'Approved and granted.' : 'Approved.',
    element('p', {}, `Final in block ${done.height}.${waits}`),
    element('p', {}, 'Transaction ', element('code', { id: 'transaction' }, done.id)),
  );
}
