import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, type WeftError } from '../codec/error.ts';
import { openLevel } from './keyValue.ts';

/**
 * One process on one folder. The lock is that of an empty database: the operating system takes it back when the process dies,
 * however it dies, so that no stale file ever stands in the way, and none has to be guessed about.
 * @param locked what to throw when another process has it
 * @throws WeftError DATA_DAMAGED, DATA_UNREADABLE, DISK_*
 */
export async function lockFolder(folder: string, locked: () => WeftError): Promise<() => Promise<void>> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    const database = await openLevel(join(folder, 'lock'));
    return () => database.close();
  } catch (error) {
    throw codeOf(error) === 'DATA_LOCKED' ? locked() : error;
  }
}
