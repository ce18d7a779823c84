import { existsSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../codec/error.ts';
import { nodeFiles } from './files.ts';
import { decodeFloor, wholeFloor } from './floor.ts';
import { openLevel } from './keyValue.ts';
import { metaKey, readNumber } from './storeKeys.ts';
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

/** In the mark: the store that gives way stays beside the new one, if it holds blocks that the new one does not. */
const keepMark = 'keep';

/**
 * The new store is closed and whole: the next start takes it.
 * @param keepOld true on a node that keeps everything: what it holds may be nowhere else
 */
export async function markIncoming(data: string, keepOld = false): Promise<void> {
  await writeFile(join(data, names.ready), keepOld ? keepMark : '');
  await nodeFiles.syncFolder(join(data, names.incoming));
  await nodeFiles.syncFolder(data);
}

/** What was built is not wanted after all: no later start takes it. */
export async function dropIncoming(data: string): Promise<void> {
  await rm(join(data, names.ready), { force: true });
  await nodeFiles.syncFolder(data);
  await rm(join(data, names.incoming), { recursive: true, force: true });
}

export type Settled = {
  /** The folder in which the old store stays, because it holds older blocks; undefined when it is gone. */
  readonly kept: string | undefined;
};

/**
 * Before a store is opened: finishes an exchange that was prepared, or drops it when the store has come as far meanwhile.
 * Undefined when nothing was exchanged. @throws WeftError DATA_LOCKED
 */
export async function settleIncoming(data: string): Promise<Settled | undefined> {
  const at = (name: keyof typeof names): string => join(data, names[name]);
  if (!existsSync(at('ready'))) return undefined;
  let kept: string | undefined;
  if (existsSync(at('incoming'))) {
    if (existsSync(at('store'))) {
      const old = await extentOf(at('store'));
      const fresh = await extentOf(at('incoming'));
      if (fresh.height <= old.height) {
        await dropIncoming(data);
        return undefined;
      }
      const keep = old.from < fresh.from && (await readFile(at('ready'), 'utf8')) === keepMark;
      await beginStoreWithNotes(at('store'), at('incoming'));
      kept = keep ? freeName(join(data, `${names.before}-${old.height}`)) : undefined;
      await rm(at('before'), { recursive: true, force: true });
      await rename(at('store'), kept ?? at('before'));
      await nodeFiles.syncFolder(data);
    }
    await rename(at('incoming'), at('store'));
    await nodeFiles.syncFolder(data);
  }
  await rm(at('ready'), { force: true });
  await nodeFiles.syncFolder(data);
  await rm(at('before'), { recursive: true, force: true });
  return { kept };
}

/** An earlier one of the same height is history too. */
function freeName(path: string): string {
  for (let n = 1; ; n += 1) {
    const name = n === 1 ? path : `${path}-${n}`;
    if (!existsSync(name)) return name;
  }
}

/** Whoever holds the lock of the store: what a start that was cut off left beside it takes room and is good for nothing. */
export async function clearIncoming(data: string): Promise<void> {
  if (existsSync(join(data, names.ready))) return;
  for (const name of [names.incoming, names.before]) await rm(join(data, name), { recursive: true, force: true });
}

/**
 * The blocks of a store: up to `height`, whole from `from` on; of none that can be read, height −1.
 * @throws WeftError DATA_LOCKED: another process works on it, and nothing may be renamed under it
 */
async function extentOf(store: string): Promise<{ readonly from: number; readonly height: number }> {
  const nothing = { from: Number.POSITIVE_INFINITY, height: -1 };
  try {
    const database = await openLevel(store);
    try {
      const tip = database.get(metaKey('tip'));
      const floor = database.get(metaKey('floor'));
      if (tip === undefined) return nothing;
      return { from: floor === undefined ? wholeFloor.height : decodeFloor(floor).height, height: readNumber(tip) };
    } finally {
      await database.close();
    }
  } catch (error) {
    if (codeOf(error) === 'DATA_LOCKED') throw error;
    // One that does not open, or says nothing of itself, has nothing to give; the new one takes its place all the same.
    return nothing;
  }
}
