import type { IntentsCancelBody } from '../../schemas/types/tx/intents.cancel.ts';
import { recordHead, refuse, rule } from '../contract.ts';
import { Draft } from '../draft.ts';
import { aboutIntent } from './decide.ts';
import { changeLive, isReached, putIntent, readIntent, waitingPath } from './state.ts';

/** Stopping needs no four eyes: who proposed it, who is to act, and whom policy lets. Uses that were taken stay taken. */
export const cancel = rule<IntentsCancelBody>('intents.cancel', {
  question({ intent }, { state, tx }) {
    const found = readIntent(state, intent);
    if (found === undefined) return refuse('INTENT_UNKNOWN');
    return aboutIntent(found, { own: tx.account === found.requester || tx.account === found.audience });
  },
  apply({ intent }, context) {
    const { state, block, tx } = context;
    const found = readIntent(state, intent);
    if (found === undefined) return refuse('INTENT_UNKNOWN');
    const { status: was, uses } = found;
    if (was !== 'pending' && was !== 'granted') return refuse('INTENT_CLOSED');
    if (isReached(found.expires, block)) return refuse('INTENT_EXPIRED');
    const draft = new Draft(state);
    putIntent(draft, { ...found, status: 'cancelled' });
    if (was === 'pending') draft.set(waitingPath(intent), null);
    // Once acted upon, its target counts as touched until the grant would have expired.
    else if (uses === 0 && !found.dryRun) changeLive(draft, found, -found.targets);
    const record = { ...recordHead('intents.cancelled', context), by: tx.account, intent, was, uses };
    return { records: [record], changes: draft.changes };
  },
});
