import { dirname, join } from 'node:path';
import { WeftError } from '../codec/error.ts';
import { diskCodeOf, diskError } from './diskError.ts';
import type { AppendFile, Files } from './files.ts';
import {
  decodeSegment,
  encodeFrames,
  encodeSegmentHead,
  type Payload,
  payloadBytes,
  segmentHeadBytes,
} from './journalFrame.ts';

/**
 * Append-only, sequence-numbered, checksummed records in one file at a time (W1, W11; bytes: journalFrame.ts).
 *
 * Group commit: `append` only queues; one write and one fdatasync are under way at a time, and whatever was appended
 * meanwhile shares the next ones. `restart` replaces the whole content: a new segment is written, synced, renamed into place
 * and its folder synced before the old one is removed, so that at each moment one complete segment is on the disk.
 */
export type OpenedJournal = {
  readonly journal: Journal;
  readonly payloads: readonly Uint8Array[];
  readonly state: 'absent' | 'complete' | 'damaged';
  /** Cut off behind the last good record: never synced, or the peers' answers will show it (W11). */
  readonly tornBytes: number;
};

type Turn = {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: WeftError) => void;
};

const namePattern = /^journal-([0-9]{10})$/;
const nameOf = (segment: number): string => `journal-${String(segment).padStart(10, '0')}`;

export class Journal {
  readonly #files: Files;
  readonly #folder: string;
  readonly #identity: Uint8Array;
  readonly #ahead: number;
  #file: AppendFile | undefined;
  #segment: number;
  /** Sequence of the next record to be written. */
  #sequence: number;
  #durable: number;
  #checksum: Uint8Array = new Uint8Array(32);
  #bytes: number;
  #pending: Payload[] = [];
  #fresh: readonly Payload[] | undefined;
  #turn: Turn | undefined;
  #running: Promise<void> | undefined;
  #failure: WeftError | undefined;
  /** A damaged segment is evidence of what happened to the disk: kept under another name. */
  #damaged = false;

  private constructor(files: Files, folder: string, identity: Uint8Array, ahead: number, segment: number) {
    this.#files = files;
    this.#folder = folder;
    this.#identity = identity;
    this.#ahead = ahead;
    this.#segment = segment;
    this.#sequence = 1;
    this.#durable = 0;
    this.#bytes = 0;
  }

  /**
   * `identity`: 32 bytes that every segment of this journal carries (the genesisHash). `ahead`: bytes of room for a journal that grows fast
   * (files.ts).
   * @throws WeftError DISK_FULL, DISK_FAILED; as the file system does for what does not pass by itself (rights, names)
   */
  static async open(files: Files, folder: string, identity: Uint8Array, ahead = 0): Promise<OpenedJournal> {
    try {
      return await Journal.#open(files, folder, identity, ahead);
    } catch (error) {
      throw diskCodeOf(error) === '' ? error : diskError(`The journal in ${folder}`, error);
    }
  }

  static async #open(files: Files, folder: string, identity: Uint8Array, ahead: number): Promise<OpenedJournal> {
    await files.makeFolder(folder);
    // Else the folder itself could be gone after a power loss, with all that was synced in it.
    await files.syncFolder(dirname(folder));
    const names = await files.list(folder);
    const segments = names
      .flatMap((name) => namePattern.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => b - a);
    for (const name of names) if (name.endsWith('.tmp')) await files.unlink(join(folder, name));
    const newest = segments[0];
    if (newest === undefined) {
      return { journal: new Journal(files, folder, identity, ahead, 0), payloads: [], state: 'absent', tornBytes: 0 };
    }
    const journal = new Journal(files, folder, identity, ahead, newest);
    const path = join(folder, nameOf(newest));
    const bytes = await files.read(path);
    const segment = decodeSegment(bytes, identity);
    if (segment === undefined || segment.frames.length === 0) {
      journal.#damaged = true;
      return { journal, payloads: [], state: 'damaged', tornBytes: 0 };
    }
    const payloads = segment.frames.map(({ payload }) => payload);
    journal.#sequence = segment.firstSequence + segment.frames.length;
    // Without room of ours zeros are what a crash made of records.
    const tornBytes = ahead > 0 ? segment.rest : bytes.length - segment.end;
    if (segment.damaged) {
      journal.#damaged = true;
      return { journal, payloads, state: 'damaged', tornBytes };
    }
    // A segment gets its name only when it is complete, so those below it are what a crash kept from being removed.
    for (const old of segments.slice(1)) await files.unlink(join(folder, nameOf(old)));
    if (segment.end < bytes.length) await files.truncate(path, segment.end);
    journal.#file = await files.openAppend(path, ahead);
    // What was read may still be only in the page cache, left there by a process that died before its sync.
    await journal.#file.datasync();
    journal.#durable = journal.#sequence - 1;
    journal.#checksum = segment.checksum;
    journal.#bytes = segment.end;
    return { journal, payloads, state: 'complete', tornBytes };
  }

  /** The last record that is on the disk; 0 before the first. */
  get durable(): number {
    return this.#durable;
  }

  /**
   * Some record up to `sequence` is known to have been here and is not: numbers go on above it, and only a `restart` begins again.
   * Resolves when the file is closed.
   */
  async continueAbove(sequence: number): Promise<void> {
    if (this.#sequence > sequence) return;
    this.#sequence = sequence + 1;
    await this.#file?.close();
    this.#file = undefined;
  }

  /** Bytes of the segment, with what is queued. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Queues a record, given in pieces that stay as they are. @throws WeftError JOURNAL_NOT_STARTED (`restart` comes first), DISK_FULL, DISK_FAILED */
  append(...payload: Payload): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#file === undefined && this.#fresh === undefined) {
      throw new WeftError('JOURNAL_NOT_STARTED', 'The journal is absent or damaged: start it with its floor first.');
    }
    this.#pending.push(payload);
    this.#bytes += payloadBytes(payload);
  }

  /** Resolves when everything appended before the call is durable. Once a sync failed all fail: DISK_FULL, DISK_FAILED. */
  sync(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#pending.length === 0 && this.#fresh === undefined && this.#running === undefined)
      return Promise.resolve();
    this.#turn ??= createTurn();
    this.#running ??= this.#run();
    return this.#turn.promise;
  }

  /** Replaces everything, also what is queued, by `records`; what is appended later follows them. Resolves when durable. */
  restart(records: readonly (Payload | Uint8Array)[]): Promise<void> {
    const payloads = records.map((record) => (record instanceof Uint8Array ? [record] : record));
    this.#fresh = payloads;
    this.#pending = [];
    this.#bytes = payloads.reduce((sum, payload) => sum + payloadBytes(payload), segmentHeadBytes);
    return this.sync();
  }

  /** Lets a sync that is under way end. What is queued and was never synced is dropped, as a crash would. */
  async close(): Promise<void> {
    await this.#running;
    this.#failure ??= new WeftError('JOURNAL_CLOSED', 'The journal is closed.');
    await this.#file?.close();
    this.#file = undefined;
  }

  async #run(): Promise<void> {
    // The caller has set `#running` before anything here happens.
    await Promise.resolve();
    for (let turn = this.#turn; turn !== undefined; turn = this.#turn) {
      this.#turn = undefined;
      const batch = this.#pending;
      const fresh = this.#fresh;
      this.#pending = [];
      this.#fresh = undefined;
      try {
        if (fresh !== undefined) await this.#replace(fresh, batch);
        else if (batch.length > 0) await this.#extend(batch);
        turn.resolve();
      } catch (error) {
        this.#failure = diskError(`The journal in ${this.#folder}`, error);
        turn.reject(this.#failure);
        this.#refuseNext(this.#failure);
      }
    }
    this.#running = undefined;
  }

  #refuseNext(failure: WeftError): void {
    this.#turn?.reject(failure);
    this.#turn = undefined;
  }

  async #extend(batch: readonly Payload[]): Promise<void> {
    if (this.#file === undefined) throw new Error('no segment is open');
    await this.#file.append(this.#encode(batch));
    await this.#file.datasync();
    this.#durable = this.#sequence - 1;
  }

  async #replace(fresh: readonly Payload[], batch: readonly Payload[]): Promise<void> {
    const old = this.#segment;
    const segment = old + 1;
    const path = join(this.#folder, nameOf(segment));
    const head = encodeSegmentHead(this.#identity, this.#sequence);
    this.#checksum = head.slice(56);
    this.#durable = this.#sequence - 1;
    const written = await this.#files.openAppend(`${path}.tmp`);
    const bytes = this.#encode([...fresh, ...batch], head.length);
    bytes.set(head);
    await written.append(bytes);
    await written.datasync();
    await written.close();
    await this.#files.rename(`${path}.tmp`, path);
    await this.#files.syncFolder(this.#folder);
    await this.#file?.close();
    this.#file = await this.#files.openAppend(path, this.#ahead);
    this.#segment = segment;
    this.#durable = this.#sequence - 1;
    for (const name of await this.#files.list(this.#folder)) {
      const number = Number(namePattern.exec(name)?.[1] ?? Number.NaN);
      if (number === old && this.#damaged)
        await this.#files.rename(join(this.#folder, name), join(this.#folder, `${name}.damaged`));
      else if (number < segment) await this.#files.unlink(join(this.#folder, name));
    }
    this.#damaged = false;
  }

  #encode(payloads: readonly Payload[], lead = 0): Uint8Array {
    const { bytes, checksum } = encodeFrames(payloads, this.#sequence, this.#durable, this.#checksum, lead);
    this.#sequence += payloads.length;
    this.#checksum = checksum;
    return bytes;
  }
}

function createTurn(): Turn {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // Whoever called sync sees the rejection; a turn that nobody awaits must not end the process.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
