// A node's disk: files, names and a database that forget at a power loss what was not synced, and take virtual time to sync.
import { concat } from '../../../src/codec/utf8.ts';
import type { AppendFile, Files } from '../../../src/ledger/files.ts';
import type { KeyValue, WriteOp } from '../../../src/ledger/keyValue.ts';
import type { Prng } from '../prng.ts';
import type { Clock, Life } from './clock.ts';

type File = { bytes: Uint8Array; synced: number };
type Entry = readonly [key: Uint8Array, value: Uint8Array];

export type DiskFaults = {
  readonly syncMsMax: number;
  /** Nothing is durable, whatever it says. */
  readonly lies: boolean;
};

/** Never resolves: the power went before it was done. */
const never = new Promise<never>(() => undefined);

export class SimDisk {
  readonly #clock: Clock;
  readonly #prng: Prng;
  readonly #faults: DiskFaults;
  #names = new Map<string, File>();
  #durableNames = new Map<string, File>();
  #entries = new Map<string, Entry>();
  #sorted: Entry[] | undefined;
  readonly #batches = new Set<readonly WriteOp[]>();
  #copy: { readonly names: Map<string, File>; readonly entries: Map<string, Entry> } | undefined;
  /** Called before every write, sync and batch: true takes the power away right there. */
  cut: (operation: string) => boolean = () => false;

  constructor(clock: Clock, prng: Prng, faults: DiskFaults) {
    this.#clock = clock;
    this.#prng = prng;
    this.#faults = faults;
  }

  /** The disk as one life of the node has it. */
  open(life: Life): { readonly files: Files; readonly database: KeyValue } {
    return { files: this.#files(life), database: this.#database(life) };
  }

  /** What was not synced is gone, or some of it: a part of the bytes, the names, a batch that was under way. */
  powerLoss(): void {
    const prng = this.#prng;
    for (const batch of this.#batches) if (prng.chance(0.5)) this.#apply(batch);
    this.#batches.clear();
    const names = prng.chance(0.5) ? this.#names : this.#durableNames;
    const after = new Map<string, File>();
    for (const [path, { bytes, synced }] of names) {
      const kept = prng.chance(0.5) ? synced : prng.between(synced, bytes.length);
      after.set(path, { bytes: bytes.slice(0, kept), synced: kept });
    }
    this.#names = after;
    this.#durableNames = new Map(after);
  }

  /** What a backup would hold. */
  keepCopy(): void {
    const names = new Map(
      [...this.#durableNames].map(([path, { bytes, synced }]) => [path, { bytes: bytes.slice(0, synced), synced }]),
    );
    this.#copy = { names, entries: new Map(this.#entries) };
  }

  /** The backup is put back, all but what lies outside the data folder: a disk that lies about what it holds (W11). */
  rollBack(): void {
    if (this.#copy === undefined) return;
    const outside = [...this.#names].filter(([path]) => !path.startsWith('/weft-sim/data/'));
    const inside = [...this.#copy.names].filter(([path]) => path.startsWith('/weft-sim/data/'));
    this.#names = new Map([...outside, ...inside].map(([path, file]) => [path, { ...file }]));
    this.#durableNames = new Map(this.#names);
    this.#entries = new Map(this.#copy.entries);
    this.#sorted = undefined;
  }

  /** Passes a moment, or never ends: the life is over, or the power goes now. */
  async #step(life: Life, operation: string, takesTime: boolean): Promise<void> {
    if (life.over || this.cut(operation)) return never;
    if (!takesTime) return;
    await new Promise<void>((resolve) => this.#clock.after(this.#prng.int(this.#faults.syncMsMax + 1), resolve));
    if (life.over) return never;
  }

  #files(life: Life): Files {
    return {
      makeFolder: async () => undefined,
      list: async (folder) =>
        [...this.#names.keys()]
          .filter((path) => path.startsWith(`${folder}/`) && !path.slice(folder.length + 1).includes('/'))
          .map((path) => path.slice(folder.length + 1)),
      read: async (path) => this.#need(path).bytes.slice(),
      openAppend: async (path): Promise<AppendFile> => {
        let file = this.#names.get(path);
        if (file === undefined) {
          await this.#step(life, 'create', false);
          file = { bytes: new Uint8Array(0), synced: 0 };
          this.#names.set(path, file);
        }
        const opened = file;
        return {
          append: async (bytes) => {
            await this.#step(life, 'append', false);
            opened.bytes = concat(opened.bytes, bytes);
          },
          datasync: async () => {
            const { length } = opened.bytes;
            await this.#step(life, 'datasync', true);
            if (this.#faults.lies) return;
            opened.synced = Math.max(opened.synced, Math.min(length, opened.bytes.length));
          },
          close: async () => undefined,
        };
      },
      truncate: async (path, length) => {
        await this.#step(life, 'truncate', false);
        const file = this.#need(path);
        file.bytes = file.bytes.slice(0, length);
        file.synced = Math.min(file.synced, length);
      },
      rename: async (from, to) => {
        await this.#step(life, 'rename', false);
        this.#names.set(to, this.#need(from));
        this.#names.delete(from);
      },
      unlink: async (path) => {
        await this.#step(life, 'unlink', false);
        this.#need(path);
        this.#names.delete(path);
      },
      syncFolder: async (folder) => {
        await this.#step(life, 'syncFolder', true);
        const inside = (path: string) => path.slice(0, path.lastIndexOf('/')) === folder;
        for (const path of this.#durableNames.keys()) if (inside(path)) this.#durableNames.delete(path);
        for (const [path, file] of this.#names) if (inside(path)) this.#durableNames.set(path, file);
      },
    };
  }

  #database(life: Life): KeyValue {
    return {
      get: (key) => this.#entries.get(nameOf(key))?.[1],
      write: async (given) => {
        const ops = given.map((op) =>
          op.type === 'put' ? { ...op, key: op.key.slice(), value: op.value.slice() } : { ...op, key: op.key.slice() },
        );
        this.#batches.add(ops);
        await this.#step(life, 'batch', true);
        this.#batches.delete(ops);
        this.#apply(ops);
      },
      range: (from, to, limit, reverse) => this.#range(from, to, limit ?? Number.POSITIVE_INFINITY, reverse === true),
      close: async () => undefined,
    };
  }

  async *#range(from: Uint8Array, to: Uint8Array, limit: number, reverse: boolean): AsyncGenerator<Entry> {
    this.#sorted ??= [...this.#entries.values()].sort((a, b) => Buffer.compare(a[0], b[0]));
    let left = limit;
    for (const entry of reverse ? this.#sorted.toReversed() : this.#sorted) {
      const [before, after] = [Buffer.compare(entry[0], from) < 0, Buffer.compare(entry[0], to) >= 0];
      if (reverse ? after : before) continue;
      if (left <= 0 || (reverse ? before : after)) return;
      left -= 1;
      yield entry;
    }
  }

  #apply(ops: readonly WriteOp[]): void {
    this.#sorted = undefined;
    for (const op of ops) {
      if (op.type === 'del') this.#entries.delete(nameOf(op.key));
      else this.#entries.set(nameOf(op.key), [op.key, op.value]);
    }
  }

  #need(path: string): File {
    const file = this.#names.get(path);
    if (file === undefined) throw Object.assign(new Error(`ENOENT ${path}`), { code: 'ENOENT' });
    return file;
  }
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
}
