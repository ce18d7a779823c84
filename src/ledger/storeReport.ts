import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../codec/error.ts';
import { decodeUtf8 } from '../codec/utf8.ts';
import type { Genesis } from './genesis.ts';
import { type KeyValue, openLevel, type WriteOp } from './keyValue.ts';
import { readStore } from './restart.ts';
import { metaKey, prefixRange, readNumber } from './storeKeys.ts';
import type { Epoch } from './validatorSet.ts';

/** How a stopped node's store is, compared with its own hashes; nothing is written into it. */
export type StoreReport = {
  /** `absent`: no store, or one in which no chain has begun. `locked`: a process works on it. */
  readonly state: 'absent' | 'whole' | 'damaged' | 'locked';
  /** Why it is no whole one. */
  readonly code: string;
  readonly why: string;
  readonly height: number;
  /** Epoch of the next block; genesis' where the store does not say. */
  readonly epoch: Epoch;
  /** Notes of the node by name; empty where they cannot be read. */
  readonly notes: ReadonlyMap<string, Uint8Array>;
  /** The last record of the journal that was on the disk at the last commit; 0 where that is not known. */
  readonly journalRecords: number;
};

const notePrefix = 'note/';

export async function reportStore(folder: string, genesis: Genesis): Promise<StoreReport> {
  const none = {
    code: '',
    why: '',
    height: 0,
    epoch: genesis.epoch,
    notes: new Map<string, Uint8Array>(),
    journalRecords: 0,
  };
  if (!existsSync(folder)) return { state: 'absent', ...none };
  let database: KeyValue;
  try {
    database = await openLevel(folder);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { ...none, state: codeOf(error) === 'DATA_LOCKED' ? 'locked' : 'damaged', code: codeOf(error), why };
  }
  let notes = none.notes;
  try {
    notes = await notesIn(database);
    const recorded = database.get(metaKey('journal'));
    const journalRecords = recorded === undefined ? 0 : readNumber(recorded);
    if (database.get(metaKey('version')) === undefined && database.get(metaKey('tip')) === undefined)
      return { ...none, state: 'absent', notes, journalRecords };
    const { tip, position } = await readStore(database, genesis);
    return { ...none, state: 'whole', height: tip.header.height, epoch: position.nextEpoch, notes, journalRecords };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { ...none, state: 'damaged', code: codeOf(error), why, notes };
  } finally {
    await database.close();
  }
}

/** A new store in which no chain has begun, with what the node had noted in the old one; `cosigned` too (ledger.ts). */
export async function beginStoreWithNotes(from: string, to: string): Promise<number> {
  const ops: WriteOp[] = [];
  try {
    const old = await openLevel(from);
    try {
      for await (const [key, value] of old.range(...prefixRange('m'))) {
        const name = decodeUtf8(key.subarray(1));
        if (name === 'cosigned' || name === 'journal' || name.startsWith(notePrefix))
          ops.push({ type: 'put', key: key.slice(), value: value.slice() });
      }
    } finally {
      await old.close();
    }
  } catch {
    // What cannot be read cannot be taken along; the journal and the sign state beside the key file say what matters (W11).
  }
  const fresh = await openLevel(join(to));
  try {
    if (ops.length > 0) await fresh.write(ops);
  } finally {
    await fresh.close();
  }
  return ops.length;
}

async function notesIn(database: KeyValue): Promise<Map<string, Uint8Array>> {
  const notes = new Map<string, Uint8Array>();
  for await (const [key, value] of database.range(...prefixRange('m'))) {
    const name = decodeUtf8(key.subarray(1));
    if (name.startsWith(notePrefix)) notes.set(name.slice(notePrefix.length), value.slice());
  }
  return notes;
}
