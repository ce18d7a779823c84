import { encodeCbor } from '../codec/cbor.ts';
import { WeftError } from '../codec/error.ts';
import { decodeUtf8 } from '../codec/utf8.ts';
import { txIdOf } from '../crypto/digests.ts';
import { decodeEnvelope } from '../crypto/dsse.ts';
import { IndexLists } from './indexLists.ts';
import type { WriteOp } from './keyValue.ts';
import { audienceOf, envelopeOfLeaf } from './leaves.ts';
import { accountKey, audienceKey, txKey, typeKey } from './storeKeys.ts';

const empty = new Uint8Array(0);

/** A transaction as its leaves show it. */
export type EntryTx = {
  readonly txId: string;
  readonly account: string;
  readonly expires: number;
  readonly index: number;
  readonly records: number;
  readonly refused: string | undefined;
};

export type EntryFacts = {
  readonly transactions: readonly EntryTx[];
  /** Records by which they are found; block records are found by height. */
  readonly records: readonly { readonly index: number; readonly type: string; readonly audience: string }[];
};

/**
 * What the log says about one block: `leaves` are all its entries, from log index `first` on. The same that execution wrote when
 * the block was finalized (store.ts, pushBlock), read back: each tx leaf is followed by the records that name it.
 * @throws WeftError JSON_*, ENVELOPE_*, or SyntaxError: no ledger wrote these entries
 */
export function readEntries(first: number, leaves: readonly Uint8Array[]): EntryFacts {
  const transactions: EntryTx[] = [];
  const records: { index: number; type: string; audience: string }[] = [];
  let open:
    | { txId: string; account: string; expires: number; index: number; records: number; refused?: string }
    | undefined;
  const close = (): void => {
    if (open !== undefined) transactions.push({ ...open, refused: open.refused });
    open = undefined;
  };
  for (const [i, leaf] of leaves.entries()) {
    const envelope = envelopeOfLeaf(leaf);
    if (envelope !== undefined) {
      close();
      open = { ...readTransaction(envelope), index: first + i, records: 0 };
      continue;
    }
    const record = JSON.parse(decodeUtf8(leaf)) as Record<string, unknown>;
    const type = record['type'] ?? record['_type'];
    if (typeof type !== 'string') throw new WeftError('JSON_INVALID', 'an entry of the log has no type');
    if (open !== undefined && namedTx(record) === open.txId) {
      open.records += 1;
      if (type === 'tx.refused' && typeof record['code'] === 'string') open.refused = record['code'];
    } else close();
    if (type !== 'block') records.push({ index: first + i, type, audience: audienceOf(record) });
  }
  close();
  return { transactions, records };
}

/** The index entries of a block: what a commit writes beside leaves and header. */
function indexOps(height: number, { transactions, records }: EntryFacts): WriteOp[] {
  const ops: WriteOp[] = [];
  const types = new IndexLists(typeKey);
  const accounts = new IndexLists(accountKey);
  for (const { index, type, audience } of records) {
    types.add(type, index);
    if (audience !== '') ops.push({ type: 'put', key: audienceKey(audience, index), value: empty });
  }
  for (const { txId, account, expires, index, records: count, refused } of transactions) {
    const value = encodeCbor([height, index, count, expires, refused ?? null]);
    ops.push({ type: 'put', key: txKey(txId), value });
    accounts.add(account, index);
  }
  types.push(ops);
  accounts.push(ops);
  return ops;
}

/** The keys of a block's index entries: what pruning removes. Of a list only the first index has one, in a store of version 1 each. */
export function indexKeys({ transactions, records }: EntryFacts): Uint8Array[] {
  return [
    ...records.flatMap(({ index, type, audience }) => [
      typeKey(type, index),
      ...(audience === '' ? [] : [audienceKey(audience, index)]),
    ]),
    ...transactions.flatMap(({ txId, account, index }) => [txKey(txId), accountKey(account, index)]),
  ];
}

export function factsOfEntries(
  height: number,
  first: number,
  leaves: readonly Uint8Array[],
): { readonly ops: WriteOp[]; readonly transactions: number } {
  const facts = readEntries(first, leaves);
  return { ops: indexOps(height, facts), transactions: facts.transactions.length };
}

function readTransaction(envelope: Uint8Array): { txId: string; account: string; expires: number } {
  const decoded = decodeEnvelope(envelope);
  const fields = JSON.parse(decodeUtf8(decoded.payload)) as { account?: unknown; expires?: unknown };
  const { account, expires } = fields;
  if (typeof account !== 'string' || typeof expires !== 'number')
    throw new WeftError('JSON_INVALID', 'an entry of the log is no transaction');
  return { txId: txIdOf(decoded), account, expires };
}

/** Every record of a transaction names it; a grant (in-toto) within its predicate. */
function namedTx(record: Record<string, unknown>): unknown {
  if (typeof record['tx'] === 'string') return record['tx'];
  const predicate = record['predicate'] as { tx?: unknown } | undefined;
  return predicate?.tx;
}
