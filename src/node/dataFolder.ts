import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { settleIncoming } from '../ledger/replaceStore.ts';
import type { Log } from './log.ts';

/** A copy that somebody still reads is younger than this. */
const copyAgeMs = 24 * 60 * 60 * 1000;

/** Before a store is opened: finishes an exchange of stores, and says what became of the old one. @throws WeftError DATA_LOCKED */
export async function takeIncoming(data: string, log: Log): Promise<void> {
  const settled = await settleIncoming(data);
  if (settled?.kept === undefined) return;
  log.warn(
    { folder: settled.kept },
    'the old store holds blocks that the new one does not: it stays here until you remove it',
  );
}

/**
 * For whoever holds the lock of the store: removes what a process that was killed left lying (snapshots that were being written,
 * downloads, copies of the ledger older than a day).
 */
export async function clearLeftovers(data: string, log: Log): Promise<void> {
  for (const path of [...(await halfSnapshots(join(data, 'snapshots'))), ...(await oldCopies(data))]) {
    await rm(path, { recursive: true, force: true });
    log.info({ path }, 'removed: left by a process that was stopped');
  }
}

/** Parts of a download from peers (`incoming-…`) are taken up again, and are not among them. */
async function halfSnapshots(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((): string[] => []);
  return names
    .filter((name) => /^[0-9]{1,16}\.snapshot\.part$/.test(name) || name === 'download.tmp')
    .map((name) => join(folder, name));
}

async function oldCopies(data: string): Promise<string[]> {
  const names = (await readdir(data).catch((): string[] => [])).filter((name) => name.startsWith('.copy-'));
  const paths = names.map((name) => join(data, name));
  const ages = await Promise.all(
    paths.map(async (path) => Date.now() - ((await stat(path).catch(() => undefined))?.mtimeMs ?? Date.now())),
  );
  return paths.filter((_, i) => (ages[i] ?? 0) > copyAgeMs);
}
