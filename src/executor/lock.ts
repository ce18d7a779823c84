import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, WeftError } from '../codec/error.ts';
import { openLevel } from '../ledger/keyValue.ts';

/**
 * One executor on one folder. The lock is that of an empty database: the operating system takes it back when the process dies,
 * however it dies, so that no stale file ever stands in the way, and none has to be guessed about.
 * @throws WeftError EXECUTOR_LOCKED, DATA_DAMAGED, DATA_UNREADABLE, DISK_*
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    const database = await openLevel(join(folder, 'lock'));
    return () => database.close();
  } catch (error) {
    if (codeOf(error) !== 'DATA_LOCKED') throw error;
    throw new WeftError(
      'EXECUTOR_LOCKED',
      `another executor works on ${folder}: two on one folder could both believe that they may act. Stop it, or give this one its own`,
    );
  }
}
