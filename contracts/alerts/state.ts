// Alerts that nobody has resolved, and how fast each account raises them.
import type { AlertRecord } from '../../schemas/types/alert-record.ts';
import { asJson } from '../contract.ts';
import type { Draft } from '../draft.ts';
import type { BlockContext, LedgerRecord, StateReader } from '../types.ts';

export type { AlertRecord };

/** Open alerts in state. */
export const OPEN_MAX = 1024;
/** Of these, so many by or about one account: a stolen key cannot keep others from being heard. */
export const OPEN_OF_ACCOUNT_MAX = 64;
/** Alerts of one account in `RATE_WINDOW_MS` of block time. */
export const RATE_MAX = 10;
const RATE_WINDOW_MS = 60_000;

const openPath = 'alerts/open/current';
const alertPath = (alert: string): string => `alerts/alert/${alert}`;
const ratePath = (account: string): string => `alerts/rate/${account}`;

/** `times`: of its last alerts, oldest first; `open`: by it, or by the ledger about it, those that nobody has resolved. */
type Rate = { readonly times: readonly number[]; readonly open: number };

export function readAlert(state: StateReader, alert: string): AlertRecord | undefined {
  return state.get(alertPath(alert)) as unknown as AlertRecord | undefined;
}

export function readRate(state: StateReader, account: string): Rate {
  return (state.get(ratePath(account)) as unknown as Rate | undefined) ?? { times: [], open: 0 };
}

export function countOpen(state: StateReader): number {
  return (state.get(openPath) ?? 0) as number;
}

export type NewAlert = Omit<AlertRecord, 'height' | 'time'>;

/**
 * The record of an alert, and its place in state. What the ledger raises by itself (`by` null, `source` the account that it is about) is
 * recorded in any case: where state is full, or has enough about that account, the log alone has it.
 * @param tx null where no transaction caused it
 */
export function raiseAlert(draft: Draft, block: BlockContext, alert: NewAlert, tx: string | null = null): LedgerRecord {
  const { height, time } = block;
  const { alert: id, by, kind, source, count } = alert;
  const window = { from: alert.window.from, to: alert.window.to };
  const evidence = [...alert.evidence];
  const ofSource = by === null ? readRate(draft, source) : undefined;
  if (countOpen(draft) < OPEN_MAX && (ofSource === undefined || ofSource.open < OPEN_OF_ACCOUNT_MAX)) {
    draft.set(alertPath(id), asJson({ alert: id, by, kind, source, window, count, evidence, height, time }));
    draft.set(openPath, countOpen(draft) + 1);
    if (ofSource !== undefined) draft.set(ratePath(source), asJson({ ...ofSource, open: ofSource.open + 1 }));
  }
  return { type: 'alerts.raised', height, time, tx, by, alert: id, kind, source, window, count, evidence };
}

export function closeAlert(draft: Draft, { alert, by, source }: AlertRecord): void {
  const open = countOpen(draft) - 1;
  draft.set(alertPath(alert), null);
  draft.set(openPath, open === 0 ? null : open);
  const account = by ?? source;
  const { times, open: before } = readRate(draft, account);
  const nothing = times.length === 0 && before === 1;
  draft.set(ratePath(account), nothing ? null : asJson({ times, open: before - 1 }));
}

/** Counts an alert for who raises it. */
export function countFor(draft: Draft, account: string, now: number): void {
  const { times, open } = readRate(draft, account);
  draft.set(ratePath(account), asJson({ times: [...recent(times, now), now], open: open + 1 }));
}

/** Times within the window that ends now. */
export function recent(times: readonly number[], now: number): readonly number[] {
  return times.filter((time) => time > now - RATE_WINDOW_MS);
}
