import { existsSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../codec/error.ts';
import { nodeFiles } from './files.ts';
import { openLevel } from './keyValue.ts';
import { beginStoreWithNotes } from './storeReport.ts';

/**
 * A store is replaced by one that was built beside it, in steps of which each can be the last before a crash: what is built counts
 * once a mark says that it is whole, and whoever opens the data folder next finishes the exchange. What this node must not
 * forget (what it cosigned, what its vote key did, evidence, closing checkpoints) goes over from the old store at that
 * moment, when nobody writes to it any more.
 */
const names = { store: 'store', incoming: 'store-incoming', ready: 'store-incoming.ready', before: 'store-before' };

/** A fresh folder for the new store; whatever an earlier attempt left is removed. */
export async function beginIncoming(data: string): Promise<string> {
  await rm(join(data, names.ready), { force: true });
  await nodeFiles.syncFolder(data);
  await rm(join(data, names.incoming), { recursive: true, force: true });
  return join(data, names.incoming);
}

/** The new store is closed and whole: the next start takes it. */
export async function markIncoming(data: string): Promise<void> {
  await writeFile(join(data, names.ready), '');
  await nodeFiles.syncFolder(join(data, names.incoming));
  await nodeFiles.syncFolder(data);
}

/** Before a store is opened: finishes an exchange that was prepared. True when there was one. @throws WeftError DATA_LOCKED */
export async function settleIncoming(data: string): Promise<boolean> {
  const at = (name: keyof typeof names): string => join(data, names[name]);
  if (!existsSync(at('ready'))) return false;
  if (existsSync(at('incoming'))) {
    if (existsSync(at('store'))) {
      await checkUnlocked(at('store'));
      await beginStoreWithNotes(at('store'), at('incoming'));
      await rm(at('before'), { recursive: true, force: true });
      await rename(at('store'), at('before'));
      await nodeFiles.syncFolder(data);
    }
    await rename(at('incoming'), at('store'));
    await nodeFiles.syncFolder(data);
  }
  await rm(at('ready'), { force: true });
  await nodeFiles.syncFolder(data);
  await rm(at('before'), { recursive: true, force: true });
  return true;
}

/** Whoever holds the lock of the store: what a start that was cut off left beside it takes room and is good for nothing. */
export async function clearIncoming(data: string): Promise<void> {
  if (existsSync(join(data, names.ready))) return;
  for (const name of [names.incoming, names.before]) await rm(join(data, name), { recursive: true, force: true });
}

/** @throws WeftError DATA_LOCKED: another process works on it, and nothing may be renamed under it */
async function checkUnlocked(store: string): Promise<void> {
  try {
    const database = await openLevel(store);
    await database.close();
  } catch (error) {
    // One that does not open has no notes to give; the new one takes its place all the same.
    if (codeOf(error) === 'DATA_LOCKED') throw error;
  }
}
