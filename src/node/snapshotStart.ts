import { existsSync } from 'node:fs';
import { mkdir, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { WeftError } from '../codec/error.ts';
import { loadGenesis } from '../ledger/genesis.ts';
import { openLevel } from '../ledger/keyValue.ts';
import { beginIncoming, markIncoming } from '../ledger/replaceStore.ts';
import { SnapshotFile } from '../ledger/snapshotFile.ts';
import { snapshotLimits } from '../ledger/snapshotFormat.ts';
import { loadSnapshot } from '../ledger/snapshotLoad.ts';
import { metaKey, readNumber } from '../ledger/storeKeys.ts';
import { takeIncoming } from './dataFolder.ts';
import type { Log } from './log.ts';

const silentMs = 60_000;

/**
 * `weft start --snapshot FILE|URL`: verifies the snapshot and puts it in place of the store, unless the store is as far already.
 * Run before the node opens its data folder.
 * @param from a file, or an http(s) URL of one
 * @param keepOld a store that holds older blocks stays beside the new one
 * @returns its height, or undefined when the store needs it not
 * @throws WeftError SNAPSHOT_*, GENESIS_*, DATA_LOCKED
 */
export async function startFromSnapshot(
  data: string,
  genesisBytes: Uint8Array,
  from: string,
  log: Log,
  keepOld = false,
): Promise<number | undefined> {
  const genesis = loadGenesis(genesisBytes);
  await mkdir(join(data, 'snapshots'), { recursive: true });
  await takeIncoming(data, log);
  const remote = /^https?:\/\//.test(from);
  const path = remote ? join(data, 'snapshots', 'download.tmp') : from;
  if (remote) await download(from, path);
  const file = await SnapshotFile.open(path);
  try {
    const { height } = file.manifest;
    const here = await heightOf(data);
    if (here >= height) {
      log.warn({ height, here }, 'the store is as far as the snapshot: it is kept');
      return undefined;
    }
    const database = await openLevel(await beginIncoming(data));
    try {
      await loadSnapshot(file, genesis, database);
    } finally {
      await database.close();
    }
    await markIncoming(data, keepOld);
    await takeIncoming(data, log);
    log.info({ height, from }, 'begun from a snapshot');
    return height;
  } finally {
    await file.close();
    if (remote) await unlink(path).catch(() => undefined);
  }
}

async function heightOf(data: string): Promise<number> {
  const store = join(data, 'store');
  if (!existsSync(join(store, 'CURRENT'))) return 0;
  const database = await openLevel(store);
  try {
    const tip = database.get(metaKey('tip'));
    return tip === undefined ? 0 : readNumber(tip);
  } finally {
    await database.close();
  }
}

/** Bounded in bytes, and ended when nothing comes any more. */
async function download(url: string, path: string): Promise<void> {
  const refused = (why: string): WeftError =>
    new WeftError('SNAPSHOT_UNREADABLE', `The snapshot ${url} cannot be fetched: ${why}.`, { url });
  const abort = new AbortController();
  let timer = setTimeout(() => abort.abort(), silentMs);
  const file = await open(path, 'w', 0o600);
  try {
    const answer = await fetch(url, { signal: abort.signal });
    if (!answer.ok || answer.body === null) throw refused(`status ${answer.status}`);
    let bytes = 0;
    for await (const piece of answer.body as AsyncIterable<Uint8Array>) {
      clearTimeout(timer);
      timer = setTimeout(() => abort.abort(), silentMs);
      bytes += piece.length;
      if (bytes > snapshotLimits.bytesMax + snapshotLimits.manifestBytesMax + 64)
        throw new WeftError('SNAPSHOT_TOO_LARGE', `The snapshot ${url} is larger than is accepted.`);
      await file.appendFile(piece);
    }
  } catch (error) {
    throw error instanceof WeftError ? error : refused(error instanceof Error ? error.message : String(error));
  } finally {
    clearTimeout(timer);
    await file.close();
  }
}
