import { randomBytes } from 'node:crypto';

/** What a ground is asked before its store, and told with each final block. */
export type UsedFilter = Pick<UsedIds, 'add' | 'passed' | 'mayHold'>;

/**
 * Ids of finalized transactions that could still come a second time, in memory: the common question, "was this used?" of one that was
 * not, never touches the database. "No" is exact, "maybe" asks the store. A txId binds its expiry, so ids lie in tables by that:
 * one is looked for in one table, and a table whose time has passed is dropped whole.
 *
 * An id is 64 bits of itself, open addressing, at most 3/4 full; where it lies depends on a number of this process, so that nobody can
 * make ids that lie together. Bytes are bounded: a table that would go beyond says "maybe" to everything.
 */
export class UsedIds {
  readonly #exactFrom: number;
  readonly #bytesMax: number;
  /** By number of their span. `undefined`: had no room. */
  readonly #tables = new Map<number, Table | undefined>();
  #bytes = 0;
  /** Spans below it are over. */
  #first = Number.NEGATIVE_INFINITY;

  /**
   * @param exactFrom no transaction that was final before this object was filled expires later than this (milliseconds UTC): of one
   *   that does, everything is known here
   */
  constructor(exactFrom: number, bytesMax: number = usedIdsBytesMax) {
    this.#exactFrom = exactFrom;
    this.#bytesMax = bytesMax;
  }

  /** Of the tables. */
  get bytes(): number {
    return this.#bytes;
  }

  /** This transaction is final. `txId`: 64 hex digits. */
  add(txId: string, expires: number): void {
    const span = spanOf(expires);
    if (span < this.#first) return;
    let table = this.#tables.get(span);
    if (table === undefined) {
      if (this.#tables.has(span)) return;
      table = new Table(slotsMin);
      this.#tables.set(span, table);
      this.#bytes += table.bytes;
    }
    if (table.isFull) {
      this.#bytes -= table.bytes;
      const grown = this.#bytes + 2 * table.bytes > this.#bytesMax ? undefined : table.grown();
      this.#tables.set(span, grown);
      if (grown === undefined) return;
      this.#bytes += grown.bytes;
      table = grown;
    }
    table.add(txId);
  }

  /** Final blocks have reached this time: what expires up to it is valid in no block any more. */
  passed(time: number): void {
    const first = spanOf(time);
    if (first <= this.#first) return;
    this.#first = first;
    for (const [span, table] of this.#tables) {
      if (span >= first) continue;
      this.#tables.delete(span);
      this.#bytes -= table?.bytes ?? 0;
    }
  }

  /** False: no final block holds this transaction. True: ask the store. */
  mayHold(txId: string, expires: number): boolean {
    const span = spanOf(expires);
    if (expires <= this.#exactFrom || span < this.#first) return true;
    const table = this.#tables.get(span);
    return table === undefined ? this.#tables.has(span) : table.has(txId);
  }
}

/** 2.5 million ids that are not expired yet: 8,000 a second for five minutes. */
const usedIdsBytesMax = 32 * 1024 * 1024;
const spanMs = 30_000;
const slotsMin = 256;
const salt = randomBytes(4).readInt32LE();

function spanOf(expires: number): number {
  return Math.floor(expires / spanMs);
}

class Table {
  readonly #words: Uint32Array;
  #count = 0;

  constructor(slots: number) {
    this.#words = new Uint32Array(2 * slots);
  }

  get bytes(): number {
    return this.#words.byteLength;
  }

  get isFull(): boolean {
    return this.#count * 8 >= this.#words.length * 3;
  }

  grown(): Table {
    const table = new Table(this.#words.length);
    for (let at = 0; at < this.#words.length; at += 2) {
      const low = this.#words[at + 1] ?? 0;
      if (low !== 0) table.#put(this.#words[at] ?? 0, low);
    }
    return table;
  }

  add(txId: string): void {
    this.#put(wordOf(txId, 0), wordOf(txId, 8) || 1);
  }

  has(txId: string): boolean {
    return this.#words[this.#slotOf(wordOf(txId, 0), wordOf(txId, 8) || 1) + 1] !== 0;
  }

  #put(high: number, low: number): void {
    const at = this.#slotOf(high, low);
    if (this.#words[at + 1] !== 0) return;
    this.#words[at] = high;
    this.#words[at + 1] = low;
    this.#count += 1;
  }

  /** Where it is, or the empty slot where it would be: one whose second word is 0. */
  #slotOf(high: number, low: number): number {
    const words = this.#words;
    const mask = words.length - 2;
    let hash = Math.imul(high ^ salt, 0x9e3779b1) ^ low;
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    for (let at = ((hash ^ (hash >>> 13)) << 1) & mask; ; at = (at + 2) & mask) {
      if (words[at + 1] === 0 || (words[at + 1] === low && words[at] === high)) return at;
    }
  }
}

/** Eight lower-case hex digits as a number. */
function wordOf(hex: string, from: number): number {
  let word = 0;
  for (let i = from; i < from + 8; i += 1) {
    const code = hex.charCodeAt(i);
    word = (word << 4) | ((code & 15) + (code >> 6) * 9);
  }
  return word >>> 0;
}
