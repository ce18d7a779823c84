import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { WeftError } from '../codec/error.ts';
import { equalBytes } from '../codec/utf8.ts';
import { sha256Hex } from '../crypto/hash.ts';
import {
  bytesOf,
  decodeManifest,
  invalidSnapshot,
  manifestId,
  offsetsOf,
  type SnapshotManifest,
  type SnapshotPart,
  snapshotLimits,
  snapshotMagic,
} from './snapshotFormat.ts';

/** What the loader reads: a manifest and its parts by their number. */
export type SnapshotSource = {
  readonly manifest: SnapshotManifest;
  /** @throws WeftError SNAPSHOT_PART: its bytes are not those that the manifest names */
  part(index: number): Promise<Uint8Array>;
};

/** A snapshot file that is open for reading: every part is compared with its digest when it is read. */
export class SnapshotFile implements SnapshotSource {
  readonly manifest: SnapshotManifest;
  readonly manifestBytes: Uint8Array;
  /** Hex. */
  readonly id: string;
  readonly #handle: FileHandle;
  readonly #offsets: readonly number[];

  private constructor(handle: FileHandle, manifestBytes: Uint8Array) {
    this.#handle = handle;
    this.manifestBytes = manifestBytes;
    this.manifest = decodeManifest(manifestBytes);
    this.id = manifestId(manifestBytes);
    this.#offsets = offsetsOf(this.manifest.parts);
  }

  /** @throws WeftError SNAPSHOT_INVALID, SNAPSHOT_TOO_LARGE, SNAPSHOT_UNREADABLE */
  static async open(path: string): Promise<SnapshotFile> {
    let handle: FileHandle;
    try {
      handle = await open(path, 'r');
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new WeftError('SNAPSHOT_UNREADABLE', `The snapshot ${path} cannot be read: ${why}.`, { path });
    }
    try {
      const { size } = await handle.stat();
      const head = await read(handle, 0, snapshotMagic.length);
      if (!equalBytes(head, snapshotMagic)) throw invalidSnapshot('it does not begin as one');
      const tail = await read(handle, size - 4, 4);
      const length = new DataView(tail.buffer).getUint32(0);
      if (length > snapshotLimits.manifestBytesMax || length + 4 + snapshotMagic.length > size)
        throw invalidSnapshot('it ends as none');
      const file = new SnapshotFile(handle, await read(handle, size - 4 - length, length));
      if (snapshotMagic.length + bytesOf(file.manifest.parts) + length + 4 !== size)
        throw invalidSnapshot('its parts do not fill it');
      return file;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async part(index: number): Promise<Uint8Array> {
    const part = this.manifest.parts[index];
    const offset = this.#offsets[index];
    if (part === undefined || offset === undefined) throw invalidSnapshot(`it has no part ${index}`);
    return checkPart(part, await read(this.#handle, offset, part.length));
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

/** @throws WeftError SNAPSHOT_PART */
export function checkPart(part: SnapshotPart, bytes: Uint8Array): Uint8Array {
  if (bytes.length === part.length && sha256Hex(bytes) === part.digest) return bytes;
  throw new WeftError('SNAPSHOT_PART', 'A part of the snapshot is not what its manifest names: fetch it again.');
}

/**
 * A snapshot file that is being put together, by a writer who learns what is in it as it goes, or from parts that arrive in any
 * order. It stands under its name only when it is whole and on the disk.
 */
export class SnapshotDraft {
  readonly #path: string;
  readonly #draft: string;
  readonly #handle: FileHandle;
  #end = snapshotMagic.length;

  private constructor(path: string, draft: string, handle: FileHandle) {
    this.#path = path;
    this.#draft = draft;
    this.#handle = handle;
  }

  /** `keep`: goes on with what an earlier attempt left. */
  static async open(path: string, keep: boolean): Promise<SnapshotDraft> {
    const draft = `${path}.part`;
    const handle = await open(draft, keep ? 'a+' : 'w+', 0o600).then(async (opened) => {
      // Append mode would ignore positions: it only makes the file.
      if (!keep) return opened;
      await opened.close();
      return open(draft, 'r+');
    });
    await handle.write(snapshotMagic, 0, snapshotMagic.length, 0);
    return new SnapshotDraft(path, draft, handle);
  }

  /** Behind what was appended before. */
  async append(bytes: Uint8Array): Promise<void> {
    await writeAll(this.#handle, bytes, this.#end);
    this.#end += bytes.length;
  }

  async writeAt(offset: number, bytes: Uint8Array): Promise<void> {
    await writeAll(this.#handle, bytes, offset);
  }

  /** A part that is there already, from an earlier attempt. */
  async held(offset: number, part: SnapshotPart): Promise<Uint8Array | undefined> {
    const { size } = await this.#handle.stat();
    if (size < offset + part.length) return undefined;
    const bytes = await read(this.#handle, offset, part.length);
    return sha256Hex(bytes) === part.digest ? bytes : undefined;
  }

  /** Closes it with its manifest, makes it durable and gives it its name. */
  async finish(manifest: Uint8Array, parts: readonly SnapshotPart[]): Promise<void> {
    const end = snapshotMagic.length + bytesOf(parts);
    const tail = new Uint8Array(manifest.length + 4);
    tail.set(manifest);
    new DataView(tail.buffer).setUint32(manifest.length, manifest.length);
    await writeAll(this.#handle, tail, end);
    await this.#handle.truncate(end + tail.length);
    await this.#handle.sync();
    await this.#handle.close();
    await rename(this.#draft, this.#path);
    const folder = await open(dirname(this.#path), 'r');
    await folder.sync().finally(() => folder.close());
  }

  /** Gives up; `keep` leaves what is there for the next attempt. */
  async abandon(keep: boolean): Promise<void> {
    await this.#handle.close().catch(() => undefined);
    if (!keep) await unlink(this.#draft).catch(() => undefined);
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    at += (await handle.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
  }
}

async function read(handle: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  if (position < 0) throw invalidSnapshot('it is too short');
  for (let at = 0; at < length; ) {
    const { bytesRead } = await handle.read(bytes, at, length - at, position + at);
    if (bytesRead === 0) throw invalidSnapshot('it ends too early');
    at += bytesRead;
  }
  return bytes;
}
