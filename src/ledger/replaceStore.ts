import { existsSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WeftError } from '../codec/error.ts';
import { decodeUtf8 } from '../codec/utf8.ts';
import { nodeFiles } from './files.ts';
import { openLevel, type WriteOp } from './keyValue.ts';
import { prefixRange } from './storeKeys.ts';

/**
 * A store is replaced by one that was built beside it, in steps of which each can be the last before a crash: what is built counts
 * once a mark says that it is whole, and whoever opens the data folder next finishes the exchange. What this node must not
 * forget (what it cosigned, what its vote key did, evidence, closing checkpoints) goes over from the old store at that
 * moment, when nobody writes to it any more.
 */
const names = { store: 'store', incoming: 'store-incoming', ready: 'store-incoming.ready', before: 'store-before' };
/** Of the old store: what says where it stands. */
const notKept: ReadonlySet<string> = new Set(['version', 'genesis', 'tip', 'floor']);

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
      await copyNotes(at('store'), at('incoming'));
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

/**
 * Puts a store aside that cannot be trusted (diverged, damaged) and leaves an empty one with its notes: the node then fills it from
 * its peers, by blocks or by a snapshot. The journal stays where it is (W11). @returns where the old store lies now
 */
export async function setStoreAside(data: string): Promise<string> {
  const store = join(data, names.store);
  let aside = join(data, 'store-aside');
  for (let n = 2; existsSync(aside); n += 1) aside = join(data, `store-aside-${n}`);
  if (!existsSync(store)) throw new WeftError('DATA_NOT_FOUND', `There is no store in ${data}.`);
  const incoming = await beginIncoming(data);
  await copyNotes(store, incoming);
  await rename(store, aside);
  await nodeFiles.syncFolder(data);
  await rename(incoming, store);
  await nodeFiles.syncFolder(data);
  return aside;
}

/** A store that cannot be read has no notes to give: what is kept beside the key file still speaks (W11). */
async function copyNotes(from: string, to: string): Promise<void> {
  const ops: WriteOp[] = [];
  try {
    const old = await openLevel(from);
    try {
      for await (const [key, value] of old.range(...prefixRange('m'))) {
        if (!notKept.has(decodeUtf8(key.subarray(1)))) ops.push({ type: 'put', key, value });
      }
    } finally {
      await old.close();
    }
  } catch (error) {
    if (error instanceof WeftError && error.code === 'DATA_LOCKED') throw error;
  }
  const fresh = await openLevel(to);
  try {
    if (ops.length > 0) await fresh.write(ops);
  } finally {
    await fresh.close();
  }
}
