import { fdatasync, fstat, ftruncate, write, writev } from 'node:fs';
import { constants, type FileHandle, mkdir, open, readdir, readFile, rename, truncate, unlink } from 'node:fs/promises';
import { promisify } from 'node:util';

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
  /**
   * Opens at the end; made when absent. `ahead`: bytes of room to make ready behind the end, now and then, where that makes a sync cheaper.
   * Until `close` the file then ends with zeros.
   */
  openAppend(path: string, ahead?: number): Promise<AppendFile>;
  truncate(path: string, length: number): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** fsync of the folder: makes new, renamed and removed names durable. */
  syncFolder(path: string): Promise<void>;
};

/**
 * On Linux a write to a file opened with O_DSYNC is on the disk when it returns, as after write and fdatasync (open(2)):
 * one trip to a thread instead of two, twice a block before a vote may leave. Elsewhere the flag says less.
 */
const writesThrough = process.platform === 'linux';
/** Not O_APPEND there, which would put everything behind the room that was made ready. */
const appendFlags = writesThrough ? constants.O_CREAT | constants.O_WRONLY | constants.O_DSYNC : 'a';

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
  async openAppend(path, ahead = 0) {
    const handle = await open(path, appendFlags, 0o600);
    return writesThrough ? throughFile(handle, ahead) : syncedFile(handle);
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

function syncedFile(handle: FileHandle): AppendFile {
  return {
    async append(bytes) {
      // A short write is possible on a full disk: the rest is tried, and then refused with its reason.
      for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at, bytes.length - at)).bytesWritten;
    },
    datasync: () => handle.datasync(),
    close: () => handle.close(),
  };
}

/** What a file system makes of `ahead` at once. */
let zeros = Buffer.alloc(0);

/**
 * A write that makes a file longer is synced with the file system's own journal, one for all files on it: twice the work of one into
 * room that is there, and many times as long where others sync, too. So the room is written first, as zeros, together with what no longer
 * fits. By callback: of a write through a FileHandle a fifth is the promises.
 */
async function throughFile(handle: FileHandle, ahead: number): Promise<AppendFile> {
  const { fd } = handle;
  let end = (await statOf(fd)).size;
  let reserved = end;
  // What was there before may not have been synced by whoever wrote it.
  let synced = false;
  const put = (bytes: Uint8Array, from: number): Promise<number> =>
    new Promise((resolve, reject) => {
      write(fd, bytes, from, bytes.length - from, end + from, (error, written) =>
        error === null ? resolve(written) : reject(error),
      );
    });
  const putWithRoom = (bytes: Uint8Array): Promise<number> => {
    if (zeros.length < ahead) zeros = Buffer.alloc(ahead);
    return new Promise((resolve) => {
      // Without the room it goes on, and a disk that takes not even the bytes says so itself.
      writev(fd, [bytes, zeros.subarray(0, ahead)], end, (error, written) => resolve(error === null ? written : 0));
    });
  };
  return {
    async append(bytes) {
      const before = synced;
      synced = false;
      let at = 0;
      if (ahead > 0 && end + bytes.length > reserved) {
        const written = await putWithRoom(bytes);
        reserved = Math.max(reserved, end + written);
        at = Math.min(written, bytes.length);
      }
      // A short write is possible on a full disk: the rest is tried, and then refused with its reason.
      while (at < bytes.length) at += await put(bytes, at);
      end += bytes.length;
      reserved = Math.max(reserved, end);
      synced = before;
    },
    async datasync() {
      if (synced) return;
      await syncOf(fd);
      synced = true;
    },
    async close() {
      // Zeros that a crash leaves are cut by whoever reads the file next.
      if (reserved > end) await truncateOf(fd, end).catch(() => undefined);
      await handle.close();
    },
  };
}

const statOf = promisify(fstat);
const syncOf = promisify(fdatasync);
const truncateOf = promisify(ftruncate);
