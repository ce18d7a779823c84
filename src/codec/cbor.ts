// Deterministic CBOR (RFC 8949 §4.2.1), the subset that validators sign: integers within ±(2^53−1), byte strings, text
// strings, arrays, true, false, null; definite lengths, shortest form; no maps, floats, tags or undefined. For every
// value there is one encoding, and the decoder accepts no other: decodeCbor(b) succeeds only if encodeCbor gives b back.
import { WeftError } from './error.ts';
import { decodeUtf8, encodeUtf8 } from './utf8.ts';

export type Cbor = number | string | Uint8Array | boolean | null | readonly Cbor[];

/** Each bound is checked before anything of that size is allocated or entered. */
export type CborLimits = {
  /** Of the whole input. */
  readonly bytesMax: number;
  /** Arrays within arrays; a bare value has depth 0. Default 16. */
  readonly depthMax?: number;
  /** Values of all kinds in the whole input, arrays included. Default 65,536. */
  readonly itemsMax?: number;
  /** Byte strings are views of the input, which must not change while they are used. Default: copies. */
  readonly views?: boolean;
};

const UNSIGNED = 0;
const NEGATIVE = 1;
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
const SIMPLE = 7;
const FALSE = 0xf4;
const TRUE = 0xf5;
const NULL = 0xf6;
const TWO_32 = 2 ** 32;
/** Of nesting in what we encode ourselves: deeper is a defect of the caller, found here instead of as a stack overflow. */
const ENCODE_DEPTH_MAX = 64;

/** The one encoding of a value. Refusals: `CBOR_UNSUPPORTED` (no such value in the subset), `UTF8_INVALID`. */
export function encodeCbor(value: Cbor): Uint8Array {
  // One buffer for all small values: what is handed out is a copy of its beginning, and nobody else encodes meanwhile.
  const writer: Writer = { bytes: scratch, length: 0 };
  write(writer, value, 0);
  return writer.bytes.slice(0, writer.length);
}

const scratch = new Uint8Array(4096);

/** The encoding of an array of byte strings, in one piece of its size: for those that are large. */
export function encodeCborBytes(items: readonly Uint8Array[]): Uint8Array {
  let length = headBytes(items.length);
  for (const item of items) length += headBytes(item.length) + item.length;
  const writer: Writer = { bytes: new Uint8Array(length), length: 0 };
  putHead(writer, ARRAY, items.length);
  for (const item of items) {
    putHead(writer, BYTES, item.length);
    writer.bytes.set(item, writer.length);
    writer.length += item.length;
  }
  return writer.bytes;
}

/** What stands before the last item of an array that ends with a byte string of `length` bytes: the caller puts the bytes behind it. */
export function encodeCborBefore(items: readonly Cbor[], length: number): Uint8Array {
  const writer: Writer = { bytes: scratch, length: 0 };
  writeHead(writer, ARRAY, items.length + 1);
  for (const item of items) write(writer, item, 1);
  writeHead(writer, BYTES, length);
  return writer.bytes.slice(0, writer.length);
}

/** Bytes of the head of a byte string or array of `length` < 2^32. */
export function headBytes(length: number): number {
  return length < 24 ? 1 : length < 0x100 ? 2 : length < 0x10000 ? 3 : 5;
}

type Writer = { bytes: Uint8Array; length: number };

function write(writer: Writer, value: Cbor, depth: number): void {
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw unsupported(`the number ${value}: only integers within ±(2^53−1)`);
    if (value >= 0) writeHead(writer, UNSIGNED, value);
    else writeHead(writer, NEGATIVE, -1 - value);
  } else if (typeof value === 'string') {
    const bytes = encodeUtf8(value);
    writeHead(writer, TEXT, bytes.length);
    writeBytes(writer, bytes);
  } else if (value instanceof Uint8Array) {
    writeHead(writer, BYTES, value.length);
    writeBytes(writer, value);
  } else if (Array.isArray(value)) {
    if (depth >= ENCODE_DEPTH_MAX) throw unsupported(`arrays nested deeper than ${ENCODE_DEPTH_MAX}`);
    writeHead(writer, ARRAY, value.length);
    // Not for…of: a hole must reach the refusal below like any other undefined.
    for (let i = 0; i < value.length; i += 1) write(writer, value[i] as Cbor, depth + 1);
  } else if (value === false || value === true || value === null) {
    reserve(writer, 1);
    writer.bytes[writer.length] = value === null ? NULL : value ? TRUE : FALSE;
    writer.length += 1;
  } else throw unsupported(`a value of type ${typeof value}`);
}

function unsupported(what: string): WeftError {
  return new WeftError('CBOR_UNSUPPORTED', `CBOR of Weft cannot hold ${what}.`);
}

function reserve(writer: Writer, bytes: number): void {
  const needed = writer.length + bytes;
  if (needed <= writer.bytes.length) return;
  const grown = new Uint8Array(Math.max(needed, 2 * writer.bytes.length));
  grown.set(writer.bytes.subarray(0, writer.length));
  writer.bytes = grown;
}

function writeBytes(writer: Writer, bytes: Uint8Array): void {
  reserve(writer, bytes.length);
  writer.bytes.set(bytes, writer.length);
  writer.length += bytes.length;
}

function writeHead(writer: Writer, major: number, argument: number): void {
  reserve(writer, 9);
  putHead(writer, major, argument);
}

/** Where there is room for it. */
function putHead(writer: Writer, major: number, argument: number): void {
  const { bytes } = writer;
  let at = writer.length;
  const type = major << 5;
  if (argument < 24) {
    bytes[at++] = type | argument;
  } else if (argument < 0x100) {
    bytes[at++] = type | 24;
    bytes[at++] = argument;
  } else if (argument < 0x10000) {
    bytes[at++] = type | 25;
    bytes[at++] = argument >>> 8;
    bytes[at++] = argument;
  } else {
    const high = Math.floor(argument / TWO_32);
    const low = argument % TWO_32;
    bytes[at++] = type | (high === 0 ? 26 : 27);
    if (high !== 0) for (let shift = 24; shift >= 0; shift -= 8) bytes[at++] = high >>> shift;
    for (let shift = 24; shift >= 0; shift -= 8) bytes[at++] = low >>> shift;
  }
  writer.length = at;
}

/**
 * The value of its one encoding; nothing may follow it. Byte strings are copies, never views of the input, unless `views` asks for them.
 * Refusals: `CBOR_TOO_LARGE` (a bound of `limits`), `CBOR_TRUNCATED` (ends too early), `CBOR_NOT_CANONICAL` (longer
 * form than needed, indefinite length, bytes after the value), `CBOR_UNSUPPORTED` (map, tag, float, big integer),
 * `UTF8_INVALID`.
 */
export function decodeCbor(bytes: Uint8Array, limits: CborLimits): Cbor {
  if (bytes.length > limits.bytesMax) {
    throw new WeftError('CBOR_TOO_LARGE', `CBOR of ${bytes.length} bytes; at most ${limits.bytesMax} are accepted.`, {
      bytes: bytes.length,
      bytesMax: limits.bytesMax,
    });
  }
  const reader: Reader = { bytes, at: 0, itemsLeft: limits.itemsMax ?? 65_536, views: limits.views === true };
  const value = read(reader, limits.depthMax ?? 16);
  if (reader.at !== bytes.length) {
    throw new WeftError('CBOR_NOT_CANONICAL', `${bytes.length - reader.at} bytes follow the CBOR value.`, {
      at: reader.at,
    });
  }
  return value;
}

type Reader = { readonly bytes: Uint8Array; at: number; itemsLeft: number; readonly views: boolean };

function read(reader: Reader, depthLeft: number): Cbor {
  reader.itemsLeft -= 1;
  if (reader.itemsLeft < 0) throw tooLarge(reader, 'more values than the limit');
  const initial = next(reader);
  const major = initial >>> 5;
  const info = initial & 31;
  if (major === SIMPLE) {
    if (initial === FALSE) return false;
    if (initial === TRUE) return true;
    if (initial === NULL) return null;
    throw new WeftError(
      'CBOR_UNSUPPORTED',
      `CBOR byte ${initial} at ${reader.at - 1}: floats and other simple values are not in the subset.`,
    );
  }
  if (major > ARRAY) {
    throw new WeftError(
      'CBOR_UNSUPPORTED',
      `CBOR ${major === 5 ? 'map' : 'tag'} at ${reader.at - 1}: not in the subset.`,
    );
  }
  const argument = info < 24 ? info : readArgument(reader, info);
  if (major === UNSIGNED) {
    if (argument > Number.MAX_SAFE_INTEGER) throw bigInteger(reader);
    return argument;
  }
  if (major === NEGATIVE) {
    if (argument >= Number.MAX_SAFE_INTEGER) throw bigInteger(reader);
    return -1 - argument;
  }
  if (major === ARRAY) return readArray(reader, argument, depthLeft);
  if (argument > reader.bytes.length - reader.at) throw truncated(reader);
  const end = reader.at + argument;
  const content = reader.bytes.subarray(reader.at, end);
  reader.at = end;
  if (major === TEXT) return decodeUtf8(content);
  return reader.views ? content : new Uint8Array(content);
}

function readArray(reader: Reader, length: number, depthLeft: number): Cbor[] {
  if (depthLeft <= 0) throw tooLarge(reader, 'arrays nested deeper than the limit');
  if (length > reader.itemsLeft) throw tooLarge(reader, 'more values than the limit');
  // Each value takes a byte at least.
  if (length > reader.bytes.length - reader.at) throw truncated(reader);
  const values: Cbor[] = [];
  for (let i = 0; i < length; i += 1) values.push(read(reader, depthLeft - 1));
  return values;
}

/** The argument after an initial byte with `info` ≥ 24, refused unless it needs that many bytes. */
function readArgument(reader: Reader, info: number): number {
  if (info > 27) {
    const what = info === 31 ? 'indefinite length' : `reserved length ${info}`;
    throw new WeftError('CBOR_NOT_CANONICAL', `CBOR with ${what} at ${reader.at - 1}.`, { at: reader.at - 1 });
  }
  const size = 1 << (info - 24);
  let argument = 0;
  for (let i = 0; i < size; i += 1) argument = argument * 256 + next(reader);
  const least = info === 24 ? 24 : 2 ** (4 * size);
  if (argument < least) {
    throw new WeftError(
      'CBOR_NOT_CANONICAL',
      `CBOR argument ${argument} at ${reader.at - size} is not in its shortest form.`,
      {
        at: reader.at - size,
      },
    );
  }
  return argument;
}

function next(reader: Reader): number {
  const byte = reader.bytes[reader.at];
  if (byte === undefined) throw truncated(reader);
  reader.at += 1;
  return byte;
}

function truncated(reader: Reader): WeftError {
  return new WeftError('CBOR_TRUNCATED', `CBOR ends at byte ${reader.bytes.length}, within a value.`, {
    bytes: reader.bytes.length,
  });
}

function tooLarge(reader: Reader, what: string): WeftError {
  return new WeftError('CBOR_TOO_LARGE', `CBOR at ${reader.at}: ${what}.`, { at: reader.at });
}

function bigInteger(reader: Reader): WeftError {
  return new WeftError('CBOR_UNSUPPORTED', `CBOR integer before ${reader.at} is beyond ±(2^53−1).`, { at: reader.at });
}
