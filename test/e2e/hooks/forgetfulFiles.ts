import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AppendFile, Files } from '../../../src/ledger/files.ts';

/**
 * Files as a disk gives them back after a power loss: the real folder holds only what was synced, the rest is in this
 * process's memory and dies with it. A name (new, renamed, removed) is real only after `syncFolder`, content only after `datasync`.
 */

/** `bytes` is the beginning of a buffer with room behind it, so that appending costs what is appended. */
type Inode = { bytes: Uint8Array; synced: Uint8Array };

/** What `before` shows never changes: room is given out once, and a truncated file moves to a buffer of its own. */
function appended(before: Uint8Array, more: Uint8Array): Uint8Array {
  const length = before.length + more.length;
  const inPlace = roomBehind.get(before.buffer) === before.byteOffset + before.length;
  const fits = inPlace && before.byteOffset + length <= before.buffer.byteLength;
  const whole = fits ? before : new Uint8Array(Math.max(4096, 2 * length));
  if (!fits) whole.set(before);
  const bytes = new Uint8Array(whole.buffer, whole.byteOffset, length);
  bytes.set(more, before.length);
  roomBehind.set(bytes.buffer, bytes.byteOffset + length);
  return bytes;
}

/** Buffer → where nobody has written yet. */
const roomBehind = new WeakMap<ArrayBufferLike, number>();

/** By path: what this process sees, and what would be there after a power loss. */
const seen = new Map<string, Inode>();
const durable = new Map<string, Inode>();
const loaded = new Set<string>();

/** A disk takes its time, so that a kill falls into it now and then. */
const pause = (): Promise<void> => sleep(Math.random() * 4);
const mine = (name: string): boolean => name.startsWith('.unsynced-');

function load(folder: string): void {
  if (loaded.has(folder)) return;
  loaded.add(folder);
  for (const entry of existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : []) {
    const { name } = entry;
    if (!entry.isFile() || mine(name)) continue;
    const bytes = new Uint8Array(readFileSync(join(folder, name)));
    const inode = { bytes, synced: bytes };
    seen.set(join(folder, name), inode);
    durable.set(join(folder, name), inode);
  }
}

function need(path: string): Inode {
  load(dirname(path));
  const inode = seen.get(path);
  if (inode === undefined) throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' });
  return inode;
}

function inFolder(names: ReadonlyMap<string, Inode>, folder: string): string[] {
  return [...names.keys()].filter((path) => dirname(path) === folder);
}

/** The whole file at once or not at all: a kill in the middle must not look like a torn write that no disk makes. */
function replaceFile(path: string, bytes: Uint8Array): void {
  const fresh = join(dirname(path), `.unsynced-${process.pid}`);
  writeFileSync(fresh, bytes);
  renameSync(fresh, path);
}

function syncContent(inode: Inode, bytes: Uint8Array): void {
  const before = inode.synced;
  inode.synced = bytes;
  for (const [path, each] of durable) {
    if (each !== inode) continue;
    if (bytes.length < before.length) replaceFile(path, bytes);
    else if (bytes.length > before.length) appendFileSync(path, bytes.subarray(before.length));
  }
}

export const nodeFiles: Files = {
  async makeFolder(path) {
    mkdirSync(path, { recursive: true });
  },
  async list(folder) {
    load(folder);
    return inFolder(seen, folder).map((path) => path.slice(folder.length + 1));
  },
  async read(path) {
    return need(path).bytes.slice();
  },
  async openAppend(path): Promise<AppendFile> {
    load(dirname(path));
    const inode = seen.get(path) ?? { bytes: new Uint8Array(), synced: new Uint8Array() };
    seen.set(path, inode);
    return {
      async append(bytes) {
        inode.bytes = appended(inode.bytes, bytes);
      },
      async datasync() {
        const { bytes } = inode;
        await pause();
        syncContent(inode, bytes);
      },
      async close() {},
    };
  },
  async truncate(path, length) {
    const inode = need(path);
    inode.bytes = inode.bytes.slice(0, length);
  },
  async rename(from, to) {
    seen.set(to, need(from));
    seen.delete(from);
  },
  async unlink(path) {
    need(path);
    seen.delete(path);
  },
  async syncFolder(folder) {
    load(folder);
    await pause();
    for (const path of inFolder(seen, folder)) {
      const inode = need(path);
      if (durable.get(path) === inode) continue;
      durable.set(path, inode);
      replaceFile(path, inode.synced);
    }
    for (const path of inFolder(durable, folder)) {
      if (seen.has(path)) continue;
      durable.delete(path);
      unlinkSync(path);
    }
  },
};
