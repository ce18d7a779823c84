import { randomBytes } from 'node:crypto';
import type { UsedFilter } from '../ledger/usedIds.ts';

/**
 * Ids of the transactions of the blocks replayed so far that a block could still hold again: exactly, as there is no store to ask.
 * 32 bytes each in tables by expiry, open addressing, at most 3/4 full, so that a million of them is memory of known size that no
 * garbage collector looks through. Where an id lies depends on a number of this process, so that nobody can make ids that lie together.
 */
export class UsedExactly implements UsedFilter {
  readonly #tables = new Map<number, Table>();
  #first = Number.NEGATIVE_INFINITY;

  add(txId: string, expires: number): void {
    const span = spanOf(expires);
    if (span < this.#first) return;
    let table = this.#tables.get(span);
    if (table === undefined || table.isFull) {
      table = table?.grown() ?? new Table(slotsMin);
      this.#tables.set(span, table);
    }
    table.add(txId);
  }

  passed(time: number): void {
    const first = spanOf(time);
    if (first <= this.#first) return;
    this.#first = first;
    for (const span of this.#tables.keys()) if (span < first) this.#tables.delete(span);
  }

  /** Exact for what has not expired yet; nobody asks about the rest. */
  mayHold(txId: string, expires: number): boolean {
    return this.#tables.get(spanOf(expires))?.has(txId) ?? false;
  }
}

const spanMs = 30_000;
const slotsMin = 256;
/** 32-bit words of an id. */
const idWords = 8;
const salt = randomBytes(4).readInt32LE();
/** The id in hand: no array for each question. */
const id = new Uint32Array(idWords);

function spanOf(expires: number): number {
  return Math.floor(expires / spanMs);
}

class Table {
  readonly #words: Uint32Array;
  readonly #taken: Uint8Array;
  #count = 0;

  constructor(slots: number) {
    this.#words = new Uint32Array(idWords * slots);
    this.#taken = new Uint8Array(slots);
  }

  get isFull(): boolean {
    return this.#count * 4 >= this.#taken.length * 3;
  }

  grown(): Table {
    const table = new Table(2 * this.#taken.length);
    for (let slot = 0; slot < this.#taken.length; slot += 1) {
      if (this.#taken[slot] === 0) continue;
      for (let i = 0; i < idWords; i += 1) id[i] = this.#words[slot * idWords + i] ?? 0;
      table.#put();
    }
    return table;
  }

  add(txId: string): void {
    readId(txId);
    this.#put();
  }

  has(txId: string): boolean {
    readId(txId);
    return this.#taken[this.#slot()] === 1;
  }

  #put(): void {
    const slot = this.#slot();
    if (this.#taken[slot] === 1) return;
    this.#taken[slot] = 1;
    this.#words.set(id, slot * idWords);
    this.#count += 1;
  }

  /** Where the id in hand is, or the empty slot where it would be. */
  #slot(): number {
    const mask = this.#taken.length - 1;
    let hash = Math.imul((id[0] ?? 0) ^ salt, 0x9e3779b1) ^ (id[1] ?? 0);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    for (let slot = (hash ^ (hash >>> 13)) & mask; ; slot = (slot + 1) & mask) {
      if (this.#taken[slot] === 0 || this.#isAt(slot * idWords)) return slot;
    }
  }

  #isAt(at: number): boolean {
    const words = this.#words;
    for (let i = 0; i < idWords; i += 1) if (words[at + i] !== id[i]) return false;
    return true;
  }
}

/** 64 lower-case hex digits. */
function readId(txId: string): void {
  for (let i = 0; i < idWords; i += 1) {
    let word = 0;
    for (let at = 8 * i; at < 8 * i + 8; at += 1) {
      const code = txId.charCodeAt(at);
      word = (word << 4) | ((code & 15) + (code >> 6) * 9);
    }
    id[i] = word;
  }
}
