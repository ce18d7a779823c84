import { fromHex } from '../codec/hex.ts';
import { encodeUtf8 } from '../codec/utf8.ts';

/**
 * Keys of the store: one letter, then what is named, numbers as u64 big-endian so that they sort.
 *
 * | key | value |
 * |---|---|
 * | `b` height | CBOR [header bytes, number of transactions] |
 * | `c` height | certificate: the finalization of this very block (wire form), where one was seen; each closing block has one |
 * | `i` block id | height |
 * | `e` epoch | CBOR [ruleset, parameters, validators]: every epoch so far |
 * | `k` epoch | height of its closing block |
 * | `r` index | log entries from this index on, some of one block (leafRuns.ts); bodies are rebuilt from tx leaves, so a transaction is stored once |
 * | `g` group | 256 bits: at which entries of this group of 256 runs begin |
 * | `l` index | the bytes of a log entry that stands alone |
 * | `t` level, number | full tile, 8,192 bytes; the unfinished ones are made from the leaves at start. Shorter: the hashes that a tile had where a store from a snapshot begins (floor.ts) |
 * | `s` path | canonical JSON of the value in finalized state |
 * | `x` txId | CBOR [height, index, records, expires, refusal code or null]; also the duplicate window |
 * | `y` type, 0, index | records by type: those of one block, from this index on (indexLists.ts) |
 * | `a` account, 0, index | tx leaves by account, in the same way |
 * | `f` account, 0, index | empty: decisions about intents by the account that they are for |
 * | `m` name | one value: `version`, `genesis`, `tip` (height), `floor` (floor.ts), `cosigned`, `note/…` |
 */
function key(prefix: string, length: number): Uint8Array {
  const bytes = new Uint8Array(1 + length);
  bytes[0] = prefix.charCodeAt(0);
  return bytes;
}

function withNumber(prefix: string, number: number): Uint8Array {
  const bytes = key(prefix, 8);
  writeNumber(bytes, 1, number);
  return bytes;
}

function withBytes(prefix: string, rest: Uint8Array): Uint8Array {
  const bytes = key(prefix, rest.length);
  bytes.set(rest, 1);
  return bytes;
}

/** Without BigInt, which costs more than the rest of the key. */
function writeNumber(bytes: Uint8Array, at: number, number: number): void {
  const view = new DataView(bytes.buffer);
  view.setUint32(at, Math.floor(number / 2 ** 32));
  view.setUint32(at + 4, number % 2 ** 32);
}

export function readNumber(bytes: Uint8Array, at = 0): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);
}

export function numberBytes(number: number): Uint8Array {
  const bytes = new Uint8Array(8);
  writeNumber(bytes, 0, number);
  return bytes;
}

export const blockKey = (height: number): Uint8Array => withNumber('b', height);
export const certificateKey = (height: number): Uint8Array => withNumber('c', height);
export const blockIdKey = (blockId: string): Uint8Array => withBytes('i', fromHex(blockId, 32));
export const epochKey = (epoch: number): Uint8Array => withNumber('e', epoch);
export const closingKey = (epoch: number): Uint8Array => withNumber('k', epoch);
export const leafKey = (index: number): Uint8Array => withNumber('l', index);
export const runKey = (index: number): Uint8Array => withNumber('r', index);
export const groupKey = (group: number): Uint8Array => withNumber('g', group);
export const stateKeyOf = (path: string): Uint8Array => withBytes('s', encodeUtf8(path));
export const txKey = (txId: string): Uint8Array => withBytes('x', fromHex(txId, 32));
export const metaKey = (name: string): Uint8Array => withBytes('m', encodeUtf8(name));

export function tileKey(level: number, n: number): Uint8Array {
  const bytes = key('t', 9);
  bytes[1] = level;
  writeNumber(bytes, 2, n);
  return bytes;
}

function namedIndexKey(prefix: string, name: string, index: number): Uint8Array {
  const text = encodeUtf8(name);
  const bytes = key(prefix, text.length + 9);
  bytes.set(text, 1);
  writeNumber(bytes, text.length + 2, index);
  return bytes;
}

export const typeKey = (type: string, index: number): Uint8Array => namedIndexKey('y', type, index);
export const audienceKey = (account: string, index: number): Uint8Array => namedIndexKey('f', account, index);
export const accountKey = (account: string, index: number): Uint8Array => namedIndexKey('a', account, index);

/** Index at the end of a type or account key. */
export function indexOfKey(bytes: Uint8Array): number {
  return readNumber(bytes, bytes.length - 8);
}

/** The bounds of all keys with this letter. */
export function prefixRange(prefix: string): readonly [Uint8Array, Uint8Array] {
  return [Uint8Array.of(prefix.charCodeAt(0)), Uint8Array.of(prefix.charCodeAt(0) + 1)];
}
