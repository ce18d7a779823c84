// What waits for a person: the list, kept fresh, and the way to one of it.
import type { NodeStatus } from '../schemas/types/rpc.ts';
import { accountForm } from './account.ts';
import { type Kind, readAsked } from './asked.ts';
import { element, notice, show, until } from './dom.ts';
import { problem, readStatus, rememberedAccount } from './frame.ts';
import { requestView } from './request.ts';
import { obstacleHere } from './securityKey.ts';
import { type Lists, readWaiting, type Waiting } from './waiting.ts';

const pollMs = 4000;
const one = /^#(intent|proposal)\/([0-9a-f]{64})$/;

/** Counts what the person went to: an answer that comes late must not overwrite what is shown by then. */
let turn = 0;
let listShown = '';

async function route(): Promise<void> {
  turn += 1;
  listShown = '';
  const mine = turn;
  const [, kind, id] = one.exec(location.hash) ?? [];
  try {
    const status = await readStatus();
    if (kind === undefined || id === undefined) return await showList(status, mine, true);
    const view = await requestView(kind as Kind, id, status, () => void route());
    if (mine === turn) show(true, ...view);
  } catch (error) {
    if (mine !== turn) return;
    const back = element('p', {}, element('a', { href: '#' }, 'Back to the list'));
    show(true, element('h1', {}, 'Approvals'), problem('This cannot be shown', error), back);
  }
}

async function showList(status: NodeStatus, mine: number, focus: boolean): Promise<void> {
  const lists = await readWaiting();
  const cards = await Promise.all(lists.waiting.map((each) => card(each, status)));
  const shown = JSON.stringify([lists.waiting, rememberedAccount(status.chain)]);
  if (mine !== turn || shown === listShown) return;
  listShown = shown;
  const obstacle = obstacleHere();
  show(
    focus,
    element('h1', {}, titleOf(cards.length)),
    obstacle !== undefined && notice('careful', 'You can read here, but not approve.', element('p', {}, obstacle)),
    cards.length === 0
      ? element('p', { class: 'quiet' }, 'New requests show up here by themselves.')
      : element('div', { id: 'waiting' }, ...cards),
    accountForm(status),
    councilWords(lists),
  );
}

function titleOf(count: number): string {
  if (count === 0) return 'Nothing waits for approval';
  return count === 1 ? 'One request waits for approval' : `${count} requests wait for approval`;
}

async function card(each: Waiting, status: NodeStatus): Promise<HTMLElement> {
  const words = await readAsked(each.kind, each.id).then(
    ({ words }) => words,
    () => 'A request that this node cannot show',
  );
  return element(
    'a',
    { class: 'card', href: `#${each.kind}/${each.id}` },
    element('span', { class: 'tag' }, each.kind === 'intent' ? 'Action' : 'Council'),
    element('h2', {}, words),
    element(
      'p',
      { class: 'meta' },
      element('span', {}, `asked by ${each.requester}`),
      element('span', {}, `${each.approvals.length} of ${each.needed} approvals`),
      element('span', {}, `ends ${until(each.expires, status.finalized.time)}`),
    ),
  );
}

function councilWords({ governance }: Lists): HTMLElement {
  const { threshold, members } = governance.council;
  const words = `The council decides with ${threshold} of ${members.length}: ${members.join(', ')}.`;
  return element('p', { class: 'quiet' }, words);
}

async function poll(): Promise<void> {
  const mine = turn;
  const isTyping = document.activeElement instanceof HTMLInputElement;
  if (document.visibilityState === 'visible' && !one.test(location.hash) && !isTyping) {
    await readStatus()
      .then((status) => showList(status, mine, false))
      .catch(() => undefined);
  }
  setTimeout(() => void poll(), pollMs);
}

addEventListener('hashchange', () => void route());
void route();
setTimeout(() => void poll(), pollMs);
