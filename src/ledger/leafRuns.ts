import { tileWidth } from '../log/tiles.ts';
import { damaged } from './damage.ts';
import type { WriteOp } from './keyValue.ts';
import { groupKey, leafKey, runKey } from './storeKeys.ts';

/**
 * Log entries in the store: in runs, a value of some entries of one block, because a key for each costs a commit more than the entry.
 * A run lies within one group of 256 entries, and begins at its key's index. So that one entry is found with two reads, each group has a
 * value of 256 bits: at which of its entries runs begin.
 *
 *     run = number of entries − 1 (u8) ‖ length of each (u16) … ‖ their bytes …
 *
 * An entry may also stand alone, under a key of its own: genesis, what pruning leaves of a run, and all of a store of version 1.
 */
const runEntriesMax = 32;
/** A run ends behind the entry that reaches it: who wants one entry reads a run. */
const runBytesMax = 16 * 1024;
const startsBytes = tileWidth / 8;

type Run = { readonly first: number; readonly entries: readonly Uint8Array[] };

export class LeafRuns {
  readonly #get: (key: Uint8Array) => Uint8Array | undefined;
  /** Where runs begin in the group that is written to, with what is on its way to the disk. */
  #written: { readonly group: number; readonly starts: Uint8Array } | undefined;
  /** The last run that was read: whoever reads one entry reads the next ones. */
  #read: Run | undefined;

  constructor(get: (key: Uint8Array) => Uint8Array | undefined) {
    this.#get = get;
  }

  /** Adds what stores these entries, of one block, from log index `first` on. They are written in the order of calls. */
  push(ops: WriteOp[], first: number, entries: readonly Uint8Array[]): void {
    const touched = new Map<number, Uint8Array>();
    for (let at = 0; at < entries.length; ) {
      const index = first + at;
      const offset = index % tileWidth;
      const group = (index - offset) / tileWidth;
      const run = entries.slice(at, at + runLength(entries, at, tileWidth - offset));
      const starts = this.#startsOf(group, offset);
      starts[offset >> 3] = (starts[offset >> 3] ?? 0) | (1 << (offset & 7));
      touched.set(group, starts);
      ops.push({ type: 'put', key: runKey(index), value: encodeRun(run) });
      at += run.length;
    }
    for (const [group, starts] of touched)
      ops.push({ type: 'put', key: groupKey(group), value: new Uint8Array(starts) });
  }

  /** A view of what was read. @throws WeftError DATA_DAMAGED */
  entry(index: number): Uint8Array | undefined {
    const read = this.#read;
    if (read !== undefined && index >= read.first && index < read.first + read.entries.length)
      return read.entries[index - read.first];
    const offset = index % tileWidth;
    const group = (index - offset) / tileWidth;
    const starts = this.#get(groupKey(group));
    const start = starts === undefined ? -1 : lastStart(starts, offset);
    if (starts !== undefined && start >= 0) {
      const first = group * tileWidth + start;
      const value = this.#get(runKey(first));
      const entries = value === undefined ? [] : decodeRun(value);
      if (lastStart(starts, Math.min(start + entries.length, tileWidth) - 1) > start)
        throw damaged(`a run of log entries is said to begin within that from ${first} on`);
      this.#read = { first, entries };
      if (index < first + entries.length) return entries[index - first];
    }
    return this.#get(leafKey(index));
  }

  /** Under which key an entry lies, or would; undefined where it is in memory. */
  keyOf(index: number): Uint8Array | undefined {
    const read = this.#read;
    if (read !== undefined && index >= read.first && index < read.first + read.entries.length) return undefined;
    const offset = index % tileWidth;
    const group = (index - offset) / tileWidth;
    const starts = this.#get(groupKey(group));
    const start = starts === undefined ? -1 : lastStart(starts, offset);
    return start < 0 ? leafKey(index) : runKey(group * tileWidth + start);
  }

  /** Adds what takes whole groups away, from that of `from` up to index `end`; what `keeps` says, and what lies below `from`, then stands alone. */
  drop(ops: WriteOp[], from: number, end: number, keeps: (entry: Uint8Array) => boolean): void {
    for (let first = from - (from % tileWidth); first < end; first += tileWidth) {
      const starts = this.#get(groupKey(first / tileWidth));
      for (let offset = 0; offset < tileWidth; ) {
        const index = first + offset;
        const value = starts !== undefined && isStart(starts, offset) ? this.#get(runKey(index)) : undefined;
        if (value === undefined) {
          const alone = index < from ? undefined : this.#get(leafKey(index));
          if (alone !== undefined && !keeps(alone)) ops.push({ type: 'del', key: leafKey(index) });
          offset += 1;
          continue;
        }
        const entries = decodeRun(value);
        for (const [i, entry] of entries.entries()) {
          if (index + i < from || keeps(entry)) ops.push({ type: 'put', key: leafKey(index + i), value: entry });
        }
        ops.push({ type: 'del', key: runKey(index) });
        offset += entries.length;
      }
      if (starts !== undefined) ops.push({ type: 'del', key: groupKey(first / tileWidth) });
    }
  }

  /** Something else than `push` has written. */
  forget(): void {
    this.#written = undefined;
    this.#read = undefined;
  }

  /** Of the group that is written to next, from `offset` on. */
  #startsOf(group: number, offset: number): Uint8Array {
    if (this.#written?.group !== group) {
      // A copy, also of a Buffer, which is what a database gives: its slice would be the same memory.
      const starts = Uint8Array.from(this.#get(groupKey(group)) ?? new Uint8Array(startsBytes));
      // Nothing begins where nothing is yet, whatever a disk says.
      for (let at = offset; at < tileWidth; at += 1) starts[at >> 3] = (starts[at >> 3] ?? 0) & ~(1 << (at & 7));
      this.#written = { group, starts };
    }
    return this.#written.starts;
  }
}

/** How many entries from `at` on make a run. */
function runLength(entries: readonly Uint8Array[], at: number, max: number): number {
  const most = Math.min(runEntriesMax, max, entries.length - at);
  let bytes = 0;
  for (let n = 0; n < most; n += 1) {
    bytes += entries[at + n]?.length ?? 0;
    if (bytes >= runBytesMax) return n + 1;
  }
  return most;
}

function encodeRun(entries: readonly Uint8Array[]): Uint8Array {
  let at = 1 + 2 * entries.length;
  let length = at;
  for (const entry of entries) length += entry.length;
  const bytes = new Uint8Array(length);
  bytes[0] = entries.length - 1;
  for (const [i, entry] of entries.entries()) {
    bytes[1 + 2 * i] = entry.length >> 8;
    bytes[2 + 2 * i] = entry.length;
    bytes.set(entry, at);
    at += entry.length;
  }
  return bytes;
}

/** Views of `bytes`. @throws WeftError DATA_DAMAGED */
export function decodeRun(bytes: Uint8Array): Uint8Array[] {
  const count = (bytes[0] ?? 0) + 1;
  let at = 1 + 2 * count;
  const entries: Uint8Array[] = [];
  for (let i = 0; i < count; i += 1) {
    const end = at + (bytes[1 + 2 * i] ?? 0) * 256 + (bytes[2 + 2 * i] ?? 0);
    entries.push(bytes.subarray(at, end));
    at = end;
  }
  if (at !== bytes.length) throw damaged('a run of log entries has another length than its entries');
  return entries;
}

function isStart(starts: Uint8Array, offset: number): boolean {
  return (((starts[offset >> 3] ?? 0) >> (offset & 7)) & 1) === 1;
}

/** The last start up to `offset`; −1 when there is none. */
function lastStart(starts: Uint8Array, offset: number): number {
  for (let at = offset; at >= 0; at -= 1) if (isStart(starts, at)) return at;
  return -1;
}
