import { dirname } from 'node:path';
import type { Files } from './files.ts';

/** Writes a small file so that after a crash at any moment either the old or the new content is there, and durable when it resolves. */
export async function writeWholeFile(files: Files, path: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(path);
  const temporary = `${path}.tmp`;
  // What a crash left behind under that name would stand in front of the new bytes.
  if ((await files.list(folder)).includes(temporary.slice(folder.length + 1))) await files.unlink(temporary);
  const file = await files.openAppend(temporary);
  try {
    await file.append(bytes);
    await file.datasync();
  } finally {
    await file.close();
  }
  await files.rename(temporary, path);
  await files.syncFolder(folder);
}

/** Undefined when there is none. */
export async function readWholeFile(files: Files, path: string): Promise<Uint8Array | undefined> {
  try {
    return await files.read(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
