// Somebody, or something, should look at this. See README.md for the table of transactions, refusals and records.
import type { AlertsRaiseBody } from '../../schemas/types/tx/alerts.raise.ts';
import type { AlertsResolveBody } from '../../schemas/types/tx/alerts.resolve.ts';
import { serviceUid } from '../authorisation.ts';
import { type Contract, isSorted, recordHead, refuse, rule } from '../contract.ts';
import { Draft } from '../draft.ts';
import {
  closeAlert,
  countFor,
  countOpen,
  OPEN_MAX,
  OPEN_OF_ACCOUNT_MAX,
  RATE_MAX,
  raiseAlert,
  readAlert,
  readRate,
  recent,
} from './state.ts';

const raise = rule<AlertsRaiseBody>('alerts.raise', {
  question: ({ kind, source, count }) => ({ resource: serviceUid('alerts'), context: { kind, source, count } }),
  apply({ kind, source, window, count, evidence }, context) {
    const { state, block, tx } = context;
    if (window.from > window.to) return refuse('ALERT_WINDOW');
    if (!isSorted(evidence)) return refuse('LIST_UNSORTED');
    const { times, open } = readRate(state, tx.account);
    if (recent(times, block.time).length >= RATE_MAX) return refuse('ALERT_RATE');
    if (open >= OPEN_OF_ACCOUNT_MAX || countOpen(state) >= OPEN_MAX) return refuse('ALERTS_FULL');
    const draft = new Draft(state);
    const alert = { alert: tx.txId, by: tx.account, kind, source, window, count, evidence };
    const record = raiseAlert(draft, block, alert, tx.txId);
    countFor(draft, tx.account, block.time);
    return { records: [record], changes: draft.changes };
  },
});

const resolve = rule<AlertsResolveBody>('alerts.resolve', {
  question({ alert }, { state, tx }) {
    const found = readAlert(state, alert);
    if (found === undefined) return refuse('ALERT_UNKNOWN');
    return { resource: serviceUid('alerts'), context: { kind: found.kind, own: found.by === tx.account } };
  },
  apply({ alert }, context) {
    const found = readAlert(context.state, alert);
    if (found === undefined) return refuse('ALERT_UNKNOWN');
    const { kind, source } = found;
    const draft = new Draft(context.state);
    closeAlert(draft, found);
    const record = { ...recordHead('alerts.resolved', context), by: context.tx.account, alert, kind, source };
    return { records: [record], changes: draft.changes };
  },
});

export const alerts: Contract = { name: 'alerts', rules: [raise, resolve] };
