import { mkdir, open, readdir, readFile, rename, truncate, unlink } from 'node:fs/promises';

/** A file that only grows. */
export type AppendFile = {
  append(bytes: Uint8Array): Promise<void>;
  /** fdatasync: what was appended before the call survives a power loss once this resolves. */
  datasync(): Promise<void>;
  close(): Promise<void>;
};

/**
 * Every file operation of the journal. A test wrapper that forgets what was not synced stands in for a power loss; with
 * the real one a name survives only after `syncFolder`.
 */
export type Files = {
  makeFolder(path: string): Promise<void>;
  /** Names in a folder, in no order; empty when there is none. */
  list(folder: string): Promise<readonly string[]>;
  read(path: string): Promise<Uint8Array>;
  /** Opens at the end; made when absent. */
  openAppend(path: string): Promise<AppendFile>;
  truncate(path: string, length: number): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** fsync of the folder: makes new, renamed and removed names durable. */
  syncFolder(path: string): Promise<void>;
};

export const nodeFiles: Files = {
  async makeFolder(path) {
    await mkdir(path, { recursive: true });
  },
  async list(folder) {
    try {
      return await readdir(folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  },
  async read(path) {
    return new Uint8Array(await readFile(path));
  },
  async openAppend(path) {
    const handle = await open(path, 'a', 0o600);
    return {
      async append(bytes) {
        // A short write is possible on a full disk: the rest is tried, and then refused with its reason.
        for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at, bytes.length - at)).bytesWritten;
      },
      datasync: () => handle.datasync(),
      close: () => handle.close(),
    };
  },
  truncate,
  rename,
  unlink,
  async syncFolder(path) {
    // Windows opens no folder; its file systems keep names by themselves.
    if (process.platform === 'win32') return;
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};
