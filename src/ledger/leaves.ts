import type { LedgerRecord } from '../../contracts/types.ts';
import { WeftError } from '../codec/error.ts';
import { encodeUtf8 } from '../codec/utf8.ts';
import { checkEntry } from '../log/bundles.ts';
import { statementType } from '../token/grant.ts';

/**
 * A log entry's exact bytes and what it is found by: its type (`tx`, the record's `type`, or its `_type` (in-toto)), and whom a decision
 * about an intent is for ('': it is none).
 */
export type Leaf = { readonly bytes: Uint8Array; readonly type: string; readonly audience: string };

/** A transaction's leaf is its envelope's own bytes between these two. */
export const txPrefix = encodeUtf8('{"type":"tx","envelope":');
export const txSuffix = encodeUtf8('}');

/** The envelope in a transaction's leaf (a view); undefined for every other leaf. No record can begin like one: its type is longer than `tx`. */
export function envelopeOfLeaf(leaf: Uint8Array): Uint8Array | undefined {
  if (leaf.length <= txPrefix.length + txSuffix.length) return undefined;
  for (let i = 0; i < txPrefix.length; i += 1) if (leaf[i] !== txPrefix[i]) return undefined;
  return leaf.subarray(txPrefix.length, leaf.length - txSuffix.length);
}

/** Members in the order in which the contract wrote them. @throws WeftError LOG_ENTRY_TOO_LARGE */
export function recordLeaf(record: LedgerRecord): Uint8Array {
  return checkEntry(encodeUtf8(JSON.stringify(record)));
}

/** `bytes`: the record's. @throws WeftError RECORD_INVALID */
export function leafOf(record: LedgerRecord, bytes: Uint8Array): Leaf {
  return { bytes, type: recordType(record), audience: audienceOf(record) };
}

/** Records that say what was decided about an intent. */
export const intentDecisions: readonly string[] = [statementType, 'intents.pending', 'intents.denied'];

/** The account that an intent is for, of a record that decides about one; of any other ''. */
export function audienceOf(record: Readonly<Record<string, unknown>>): string {
  const { type, _type, predicate } = record;
  if (type === 'intents.pending' || type === 'intents.denied') return textOf(record['audience']);
  if (_type !== statementType || typeof predicate !== 'object' || predicate === null) return '';
  return textOf((predicate as { readonly audience?: unknown }).audience);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** What a record is told apart by. @throws WeftError RECORD_INVALID: a defect of the contract */
function recordType(record: LedgerRecord): string {
  const type = record['type'] ?? record['_type'];
  if (typeof type !== 'string' || type === 'tx') {
    throw new WeftError('RECORD_INVALID', 'A record has no type of its own: this is a defect of its contract.');
  }
  return type;
}
