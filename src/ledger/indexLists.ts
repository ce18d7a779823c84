import { damaged } from './damage.ts';
import type { WriteOp } from './keyValue.ts';
import { indexOfKey } from './storeKeys.ts';

/**
 * Log indexes by name (a type, an account): the entries of one block under one name are one key, that of the first, and its value how far
 * each further one lies behind the one before (LEB128). Nothing for one alone, as all of them stand in a store of version 1.
 */
export class IndexLists {
  readonly #keyOf: (name: string, index: number) => Uint8Array;
  readonly #lists = new Map<string, { readonly first: number; last: number; readonly steps: number[] }>();

  constructor(keyOf: (name: string, index: number) => Uint8Array) {
    this.#keyOf = keyOf;
  }

  /** Ascending under each name. */
  add(name: string, index: number): void {
    const list = this.#lists.get(name);
    if (list === undefined) {
      this.#lists.set(name, { first: index, last: index, steps: [] });
      return;
    }
    let step = index - list.last;
    for (; step >= 0x80; step = Math.floor(step / 0x80)) list.steps.push((step % 0x80) | 0x80);
    list.steps.push(step);
    list.last = index;
  }

  push(ops: WriteOp[]): void {
    for (const [name, { first, steps }] of this.#lists)
      ops.push({ type: 'put', key: this.#keyOf(name, first), value: Uint8Array.from(steps) });
  }
}

/** The log indexes of one key and its value, ascending. @throws WeftError DATA_DAMAGED */
export function indexesOf(key: Uint8Array, value: Uint8Array): number[] {
  let index = indexOfKey(key);
  const indexes = [index];
  let step = 0;
  let unit = 1;
  for (const byte of value) {
    step += (byte & 0x7f) * unit;
    unit *= 0x80;
    if (byte >= 0x80) continue;
    index += step;
    indexes.push(index);
    step = 0;
    unit = 1;
  }
  if (unit !== 1 || !Number.isSafeInteger(index)) throw damaged('a list of log indexes ends within a number');
  return indexes;
}
