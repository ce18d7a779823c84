// A second key for the same person: made and proven with the new one, then signed by one that the account has. Between the two the
// person may have to change what is plugged in, so each waits for a press.
import type { NodeStatus } from '../schemas/types/rpc.ts';
import { type Me, signAs } from './account.ts';
import { button, element, notice, Steps } from './dom.ts';
import { problem, readStatus } from './frame.ts';
import { makeProvenKey, type ProvenKey } from './securityKey.ts';
import { draftOf, send } from './transaction.ts';

/** The part of the page that adds a key to `me`. */
export function anotherKeyPart(me: Me, status: NodeStatus): HTMLElement {
  const steps = new Steps(
    'Make the new key and sign with it',
    'Sign with a key that you have',
    'Registered on the ledger',
  );
  steps.at(-1);
  const outcome = element('div', { id: 'added' });
  const actions = element('p', { class: 'actions' });
  const offer = (text: string, id: string, step: number, act: () => Promise<void>): void => {
    const made = button(text, { id, class: 'plain' }, () => {
      made.disabled = true;
      outcome.replaceChildren();
      steps.at(step);
      act().catch((error: unknown) => {
        steps.at(step - 1);
        made.disabled = false;
        outcome.replaceChildren(problem('No key was added', error));
      });
    });
    actions.replaceChildren(made);
  };
  offer('Make another key', 'another', 0, async () => {
    const key = await makeProvenKey(status.chain, me.account);
    steps.at(1);
    offer('Confirm with a key that I have', 'confirm', 1, async () => {
      const height = await register(me, status, key);
      steps.at(3);
      actions.remove();
      outcome.replaceChildren(
        notice('good', 'The new key is registered.', element('p', {}, `Final in block ${height}.`)),
      );
    });
  });
  return element(
    'section',
    {},
    element('h2', {}, `Another key for ${me.account}`),
    element(
      'p',
      { class: 'quiet' },
      'Keep it in another place: whoever loses one signs with the other, and has the lost one revoked.',
    ),
    steps.list,
    actions,
    outcome,
  );
}

async function register(me: Me, { chain }: NodeStatus, key: ProvenKey): Promise<number> {
  const { finalized } = await readStatus();
  const body = { account: me.account, add: [key], remove: [] };
  const draft = draftOf({ chain, account: me.account, type: 'identity.rotate', body }, finalized.time);
  return (await send(draft, await signAs(me, draft.message))).height;
}
