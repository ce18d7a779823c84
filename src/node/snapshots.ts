import { mkdir, readdir, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Cbor, decodeCbor, encodeCbor } from '../codec/cbor.ts';
import { codeOf, WeftError } from '../codec/error.ts';
import { fromHex, toHex } from '../codec/hex.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { SnapshotFile } from '../ledger/snapshotFile.ts';
import { bytesOf } from '../ledger/snapshotFormat.ts';
import { writeSnapshot } from '../ledger/snapshotWrite.ts';
import type { CommittedBlock } from '../ledger/types.ts';
import { parseCheckpoint } from '../log/checkpoint.ts';
import { parseNote } from '../log/note.ts';
import type { Log } from './log.ts';
import { Turns } from './turns.ts';

/**
 * The snapshots of this node: made in the background at every so many blocks, the newest two kept beside the store, and offered to
 * peers. Parts are asked for by their digest, so whoever downloads takes each from whoever has it.
 */
export type SnapshotsOptions = {
  /** Folder of the files; made when it is needed. */
  readonly folder: string;
  /** A snapshot at each multiple of so many blocks; 0: none is made. */
  readonly everyBlocks: number;
};

export type SnapshotsModules = {
  readonly ledger: Pick<Ledger, 'capture' | 'finalized' | 'entry' | 'block'>;
  /** The newest published checkpoint. */
  readonly checkpoint: () => string | undefined;
  /** A node that catches up has better things to do. */
  readonly catchingUp: () => boolean;
  readonly log: Log;
  readonly monotonicMs: () => number;
  readonly sleep: (ms: number) => Promise<void>;
};

/** What a peer says it holds. */
export type SnapshotOffer = {
  readonly height: number;
  /** Hex: what its manifest is asked for by. */
  readonly id: string;
  readonly bytes: number;
};

const snapshotsKept = 2;
const checkpointWaitMs = 30_000;
/** Making snapshots takes at most one part in so many of the time. */
const restFactor = 10;
const namePattern = /^([0-9]{1,16})\.snapshot$/;

export class Snapshots {
  readonly #options: SnapshotsOptions;
  readonly #modules: SnapshotsModules;
  /** Newest first. */
  #files: SnapshotFile[] = [];
  /** Digest of a manifest (−1) or a part → where it is. */
  #index = new Map<string, { readonly file: SnapshotFile; readonly part: number }>();
  readonly #reads = new Turns({ atOnce: 2, perPeer: 1, waitingMax: 16 });
  #making: Promise<void> | undefined;
  #notBeforeMs = 0;
  #closed = false;

  constructor(options: SnapshotsOptions, modules: SnapshotsModules) {
    this.#options = options;
    this.#modules = modules;
  }

  /** Work of peers that was not done, because too much of theirs waited. */
  get dropped(): number {
    return this.#reads.dropped;
  }

  /** Takes up the files that are there. Never fails: what cannot be read is passed over. */
  async open(): Promise<void> {
    const names = await readdir(this.#options.folder).catch((): string[] => []);
    const heights = names
      .flatMap((name) => Number(namePattern.exec(name)?.[1] ?? Number.NaN))
      .filter(Number.isSafeInteger);
    for (const height of heights.sort((a, b) => a - b)) await this.#adopt(this.pathOf(height), false);
  }

  pathOf(height: number): string {
    return join(this.#options.folder, `${height}.snapshot`);
  }

  get folder(): string {
    return this.#options.folder;
  }

  /** Height of the newest; 0 when there is none. */
  get newest(): number {
    return this.#files[0]?.manifest.height ?? 0;
  }

  /** Height of the oldest that is kept; 0 when there is none. */
  get oldest(): number {
    return this.#files.at(-1)?.manifest.height ?? 0;
  }

  /** One is being made, of blocks that must stay until then. */
  get busy(): boolean {
    return this.#making !== undefined;
  }

  /** Block by block, as they are committed: the state can be held still only before the next one. */
  committed(blocks: readonly CommittedBlock[]): void {
    const { everyBlocks } = this.#options;
    const last = blocks.at(-1)?.header.height ?? 0;
    const first = blocks[0]?.header.height ?? last;
    if (everyBlocks === 0 || Math.floor(last / everyBlocks) === Math.floor((first - 1) / everyBlocks)) return;
    const { catchingUp, monotonicMs } = this.#modules;
    if (this.#making !== undefined || this.#closed || catchingUp() || monotonicMs() < this.#notBeforeMs) return;
    const beganMs = monotonicMs();
    this.#making = this.make()
      .catch((error: unknown) => {
        this.#modules.log.warn({ code: codeOf(error), error: String(error) }, 'no snapshot could be made');
      })
      .finally(() => {
        this.#making = undefined;
        this.#notBeforeMs = monotonicMs() + restFactor * (monotonicMs() - beganMs);
      });
  }

  /** Resolves when none is being made. */
  async idle(): Promise<void> {
    await this.#making;
  }

  /** A snapshot of the finalized block. @throws WeftError SNAPSHOT_* */
  async make(): Promise<void> {
    const { ledger, log } = this.#modules;
    const captured = await ledger.capture();
    const { header } = captured.block;
    await mkdir(this.#options.folder, { recursive: true });
    const path = this.pathOf(header.height);
    const { bytes } = await writeSnapshot(
      captured,
      path,
      () => this.#checkpointFor(header.logSize, header.epoch),
      () => this.#closed,
    );
    await this.#adopt(path, true);
    log.info({ height: header.height, bytes }, 'snapshot made');
  }

  /** A file that was downloaded and loaded is as good as an own one. */
  async take(path: string, height: number): Promise<void> {
    await rename(path, this.pathOf(height));
    await this.#adopt(this.pathOf(height), true);
  }

  /** The published checkpoint that covers this size, by the cosigners of this epoch; undefined when none comes in time. */
  async #checkpointFor(size: number, epoch: number): Promise<string | undefined> {
    const { checkpoint, ledger, monotonicMs, sleep } = this.#modules;
    for (const endMs = monotonicMs() + checkpointWaitMs; monotonicMs() < endMs && !this.#closed; await sleep(100)) {
      const note = checkpoint();
      if (note === undefined) continue;
      const at = parseCheckpoint(parseNote(note).text).size;
      if (at < size) continue;
      const height = ledger.entry(at - 1)?.height;
      const signedIn = height === undefined ? undefined : ledger.block(height)?.header.epoch;
      return signedIn === epoch ? note : undefined;
    }
    return undefined;
  }

  async #adopt(path: string, isNew: boolean): Promise<void> {
    const { log } = this.#modules;
    try {
      const file = await SnapshotFile.open(path);
      const { height } = file.manifest;
      const same = this.#files.filter(({ manifest }) => manifest.height === height);
      const others = this.#files.filter(({ manifest }) => manifest.height !== height);
      this.#files = [file, ...others].sort((a, b) => b.manifest.height - a.manifest.height);
      for (const replaced of same) await replaced.close();
    } catch (error) {
      log.warn({ path, code: codeOf(error) }, 'a snapshot cannot be read');
      if (isNew) throw error;
    }
    for (const old of this.#files.splice(snapshotsKept)) {
      await old.close();
      await unlink(this.pathOf(old.manifest.height)).catch(() => undefined);
    }
    this.#index = new Map(
      this.#files.flatMap((file) => [
        [file.id, { file, part: -1 }] as const,
        ...file.manifest.parts.map(({ digest }, part) => [digest, { file, part }] as const),
      ]),
    );
  }

  /** Answer to `requestKinds.snapshots`: CBOR [[height, id, bytes] …], newest first. */
  offers(): Uint8Array {
    return encodeCbor(
      this.#files.map(({ manifest, id, manifestBytes }) => [
        manifest.height,
        fromHex(id, 32),
        bytesOf(manifest.parts) + manifestBytes.length,
      ]),
    );
  }

  /** Answer to `requestKinds.snapshotPart`: the bytes with this digest. */
  part(peer: string, digest: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#reads.take(peer, async () => {
      const found = digest.length === 32 ? this.#index.get(toHex(digest)) : undefined;
      if (found === undefined) return undefined;
      if (found.part < 0) return found.file.manifestBytes;
      try {
        return await found.file.part(found.part);
      } catch (error) {
        // Its file was let go meanwhile, or the disk changed it: the peer asks another.
        this.#modules.log.debug({ code: codeOf(error) }, 'a part of a snapshot could not be read');
        return undefined;
      }
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#reads.close();
    await this.#making;
    for (const file of this.#files) await file.close();
    this.#files = [];
    this.#index.clear();
  }
}

/** @throws WeftError MESSAGE_MALFORMED, CBOR_* */
export function decodeOffers(payload: Uint8Array): SnapshotOffer[] {
  const rows = decodeCbor(payload, { bytesMax: 4096, itemsMax: 64, depthMax: 2 });
  const malformed = (): WeftError =>
    new WeftError('MESSAGE_MALFORMED', 'a peer sent a list of snapshots that none writes');
  if (!Array.isArray(rows)) throw malformed();
  return (rows as readonly Cbor[]).map((row) => {
    const [height, id, bytes] = Array.isArray(row) ? (row as readonly Cbor[]) : [];
    if (typeof height !== 'number' || !(id instanceof Uint8Array) || id.length !== 32 || typeof bytes !== 'number')
      throw malformed();
    return { height, id: toHex(id), bytes };
  });
}
