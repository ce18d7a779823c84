import { constants, mkdir, open, readdir, readFile, rename, truncate, unlink } from 'node:fs/promises';

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

/**
 * On Linux a write to a file opened with O_DSYNC is on the disk when it returns, as after write and fdatasync (open(2)):
 * one trip to a thread instead of two, three times a block before a vote may leave. Elsewhere the flag says less.
 */
const writesThrough = process.platform === 'linux';
const appendFlags = writesThrough
  ? constants.O_APPEND | constants.O_CREAT | constants.O_WRONLY | constants.O_DSYNC
  : 'a';

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
    const handle = await open(path, appendFlags, 0o600);
    // What was there before may not have been synced by whoever wrote it.
    let synced = false;
    return {
      async append(bytes) {
        const before = synced;
        synced = false;
        // A short write is possible on a full disk: the rest is tried, and then refused with its reason.
        for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at, bytes.length - at)).bytesWritten;
        synced = before && writesThrough;
      },
      async datasync() {
        if (synced) return;
        await handle.datasync();
        synced = writesThrough;
      },
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
