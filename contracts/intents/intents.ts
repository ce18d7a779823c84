// Intent → grant → act → outcome. See README.md for the table of transactions, refusals and records.
import { raiseAlert } from '../alerts/state.ts';
import type { Contract } from '../contract.ts';
import { Draft } from '../draft.ts';
import type { Applied, BlockContext, LedgerRecord, StateReader } from '../types.ts';
import { approve } from './approve.ts';
import { cancel } from './cancel.ts';
import { addDue, type Due, takeDue } from './due.ts';
import { propose } from './propose.ts';
import {
  changeKept,
  changeLive,
  DUE_PER_BLOCK_MAX,
  endRest,
  grantPath,
  type IntentRecord,
  KEPT_AFTER_MS,
  putIntent,
  readIntent,
  waitingPath,
} from './state.ts';
import { consume, report } from './use.ts';

/** Kind of the alert about uses that nobody has reported on. */
const UNREPORTED = 'intent-unreported';

/** What is due by the block's time, in the order in which it is; at most `DUE_PER_BLOCK_MAX` of it. */
function endBlock(state: StateReader, block: BlockContext): Applied {
  const draft = new Draft(state);
  const records: LedgerRecord[] = [];
  for (let taken = 0; taken < DUE_PER_BLOCK_MAX; taken += 1) {
    const due = takeDue(draft, block.time);
    if (due === undefined) break;
    handle(draft, block, due, records);
  }
  return { records, changes: draft.changes };
}

function handle(draft: Draft, block: BlockContext, { kind, id }: Due, records: LedgerRecord[]): void {
  if (kind === 'target') {
    endRest(draft, id, block.time);
    return;
  }
  const intent = readIntent(draft, id);
  if (intent === undefined) return;
  if (kind === 'forget') {
    draft.set(grantPath(id), null);
    changeKept(draft, intent.requester, -1);
  } else if (kind === 'grant') endGrant(draft, block, intent, records);
  else endPending(draft, block, intent, records);
}

/** Also of what was denied or cancelled while it waited; not of what became a grant, which has an end of its own. */
function endPending(draft: Draft, block: BlockContext, intent: IntentRecord, records: LedgerRecord[]): void {
  if (intent.notBefore !== null) return;
  if (intent.status === 'pending') {
    putIntent(draft, { ...intent, status: 'expired' });
    draft.set(waitingPath(intent.intent), null);
    const { height, time } = block;
    const { intent: id, action, resource, requester, audience, approvals, approvalsNeeded } = intent;
    records.push({
      type: 'intents.lapsed',
      height,
      time,
      intent: id,
      action,
      resource,
      requester,
      audience,
      approvals: approvals.length,
      approvalsNeeded,
    });
  }
  forgetLater(draft, block, intent);
}

function endGrant(draft: Draft, block: BlockContext, intent: IntentRecord, records: LedgerRecord[]): void {
  const { status, uses, dryRun, targets, attempts } = intent;
  // What was cancelled unused was taken off at once.
  if (!dryRun && (status === 'granted' || uses > 0)) changeLive(draft, intent, -targets);
  if (status === 'granted') putIntent(draft, { ...intent, status: 'expired' });
  const open = attempts.filter(({ reported }) => !reported);
  const [first] = open;
  if (first !== undefined) {
    records.push(
      raiseAlert(draft, block, {
        alert: intent.intent,
        by: null,
        kind: UNREPORTED,
        source: intent.audience,
        window: { from: first.time, to: intent.expires.time },
        count: open.length,
        evidence: [],
      }),
    );
  }
  forgetLater(draft, block, intent);
}

function forgetLater(draft: Draft, block: BlockContext, { intent }: IntentRecord): void {
  addDue(draft, { time: block.time + KEPT_AFTER_MS, kind: 'forget', id: intent });
}

export const intents: Contract = {
  name: 'intents',
  rules: [propose, approve, consume, report, cancel],
  endBlock,
};
