import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { type Cbor, decodeCbor, encodeCbor } from '../codec/cbor.ts';
import { WeftError } from '../codec/error.ts';
import { concat, encodeUtf8, equalBytes } from '../codec/utf8.ts';
import { decodeHeader, isClosing } from './header.ts';
import { runBlocksMax } from './runs.ts';
import type { Run } from './types.ts';

/**
 * One file that holds a whole chain:
 *
 *     archive = "weft-archive/v1\n" ‖ chunk … ‖ SHA-256 of all bytes before it
 *     chunk   = length (u32 big-endian) ‖ zstd frame of that length, which holds one item of a CBOR sequence
 *     items   = [1, genesis (RFC 8785 bytes)], [2, [headers], [bodies], certificate] …, [3, checkpoint note or null],
 *               [5, epoch, closing checkpoint] behind the run that ends an epoch, where the writer has it,
 *               [4, [[height of a run's first block, offset of its chunk] …], last height, transactions, log size]
 *
 * in this order; the index is the last item and nothing may follow the hash. The hash is over the compressed bytes, so that
 * every flipped byte is seen.
 */
export const archiveMagic = encodeUtf8('weft-archive/v1\n');
const hashBytes = 32;
/** Of one item. A run holds at least one block, whose body may be 64 MiB. */
const itemBytesMax = 80 * 1024 * 1024;
const frameBytesMax = itemBytesMax + 1024 * 1024;
const itemsMax = 4 * 1024 * 1024;
const checkpointBytesMax = 64 * 1024;

export type ArchiveIndex = {
  readonly runs: readonly { readonly height: number; readonly offset: number }[];
  readonly height: number;
  readonly transactions: number;
  readonly logSize: number;
};

export type ArchiveItem =
  | { readonly kind: 'genesis'; readonly bytes: Uint8Array }
  | { readonly kind: 'run'; readonly run: Run; readonly offset: number }
  | { readonly kind: 'closing'; readonly epoch: number; readonly note: string }
  | { readonly kind: 'checkpoint'; readonly note: string | undefined }
  | { readonly kind: 'index'; readonly index: ArchiveIndex };

export type ArchiveSource = {
  /** RFC 8785 bytes of the genesis document. */
  readonly genesis: Uint8Array;
  /** `Ledger.exportRun`. */
  readonly run: (fromHeight: number, bytesMax: number) => Run | undefined;
  /** A signed checkpoint of a size that one of the blocks reaches. */
  readonly checkpoint?: string;
  /** The closing checkpoint of an epoch, if it is at hand. */
  readonly closing?: (epoch: number) => string | undefined;
  /** Transactions of a block: from its body's CBOR head or the store. */
  readonly transactions: (height: number) => number;
};

export type ArchiveOptions = {
  /** About the size of a run before compression. Default 1 MiB. */
  readonly runBytes?: number;
  readonly onProgress?: (height: number) => void;
};

/** The file's bytes, piece by piece. @throws WeftError ARCHIVE_EMPTY: no block is finalized yet */
export function* archiveBytes(source: ArchiveSource, options: ArchiveOptions = {}): Generator<Uint8Array> {
  const hash = createHash('sha256');
  let offset = 0;
  const pass = (bytes: Uint8Array): Uint8Array => {
    hash.update(bytes);
    offset += bytes.length;
    return bytes;
  };
  const runs: [number, number][] = [];
  let transactions = 0;
  let next = 1;
  let logSize = 0;
  yield pass(archiveMagic);
  yield pass(encodeChunk([1, source.genesis]));
  for (;;) {
    const run = source.run(next, options.runBytes ?? 1024 * 1024);
    const last = run?.headers.at(-1);
    if (run === undefined || last === undefined) break;
    runs.push([next, offset]);
    for (let height = next; height < next + run.headers.length; height += 1)
      transactions += source.transactions(height);
    next += run.headers.length;
    const ended = decodeHeader(last);
    logSize = ended.logSize;
    yield pass(encodeChunk([2, [...run.headers], [...run.bodies], run.certificate]));
    const closing = isClosing(ended) ? source.closing?.(ended.epoch) : undefined;
    if (closing !== undefined) yield pass(encodeChunk([5, ended.epoch, closing]));
    options.onProgress?.(next - 1);
  }
  if (runs.length === 0) throw new WeftError('ARCHIVE_EMPTY', 'No block is finalized yet: there is nothing to export.');
  yield pass(encodeChunk([3, source.checkpoint ?? null]));
  yield pass(encodeChunk([4, runs, next - 1, transactions, logSize]));
  yield new Uint8Array(hash.digest());
}

/**
 * Reads an archive from pieces of any size; everything is bounded before it is decoded. The items come in their order, and the
 * last is followed by the check of the hash. What is in the items is the reader's to judge.
 * @throws WeftError ARCHIVE_INVALID (form, order, length), ARCHIVE_CORRUPT (hash), CBOR_*
 */
export async function* readArchive(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<ArchiveItem> {
  const reader = new PieceReader(pieces);
  if (!equalBytes(await reader.take(archiveMagic.length), archiveMagic)) throw invalid('it does not begin as one');
  let before: ArchiveItem['kind'] | undefined;
  while (before !== 'index') {
    const { offset } = reader;
    const length = new DataView((await reader.take(4)).buffer).getUint32(0);
    if (length > frameBytesMax) throw invalid(`a chunk of ${length} bytes`);
    const item = decodeItem(decompress(await reader.take(length)), offset);
    if (!mayFollow(before, item.kind)) throw invalid(`${item.kind} after ${before ?? 'the beginning'}`);
    before = item.kind;
    yield item;
  }
  const computed = reader.digest();
  if (!equalBytes(await reader.take(hashBytes), computed)) {
    throw new WeftError(
      'ARCHIVE_CORRUPT',
      'The hash at the end of the archive is not that of its bytes: it was changed or damaged on the way.',
    );
  }
  if (!(await reader.atEnd())) throw invalid('bytes follow its hash');
}

/** The pieces of a file that is at hand. */
export function* inPieces(bytes: Uint8Array, size = 64 * 1024): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** The bytes of an archive, from a path or at hand, read again at each call. */
export function archivePieces(file: string | Uint8Array): AsyncIterable<Uint8Array> | Iterable<Uint8Array> {
  return typeof file === 'string' ? createReadStream(file, { highWaterMark: 1024 * 1024 }) : inPieces(file);
}

/**
 * The hash at the end, before anything in the file is looked at: so that a damaged file is called that, and not a liar.
 * @param size of the whole file, in bytes
 * @throws WeftError ARCHIVE_CORRUPT
 */
export async function checkArchiveHash(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  size: number,
): Promise<void> {
  const hash = createHash('sha256');
  const tail = new Uint8Array(hashBytes);
  let at = 0;
  for await (const piece of pieces) {
    const inside = Math.max(0, Math.min(piece.length, size - hashBytes - at));
    hash.update(piece.subarray(0, inside));
    tail.set(piece.subarray(inside), Math.max(0, at + inside - (size - hashBytes)));
    at += piece.length;
  }
  if (size < 64 || !equalBytes(new Uint8Array(hash.digest()), tail)) {
    throw new WeftError(
      'ARCHIVE_CORRUPT',
      'The hash at the end of the file is not that of its bytes: it was changed or damaged on the way.',
    );
  }
}

function encodeChunk(item: Cbor): Uint8Array {
  const frame = zstdCompressSync(encodeCbor(item));
  const head = new Uint8Array(4);
  new DataView(head.buffer).setUint32(0, frame.length);
  return concat(head, frame);
}

function decompress(frame: Uint8Array): Uint8Array {
  try {
    return new Uint8Array(zstdDecompressSync(frame, { maxOutputLength: itemBytesMax }));
  } catch {
    throw invalid('a chunk is no zstd frame, or holds more than an item may');
  }
}

function mayFollow(before: ArchiveItem['kind'] | undefined, kind: ArchiveItem['kind']): boolean {
  if (kind === 'genesis') return before === undefined;
  if (kind === 'run') return before === 'genesis' || before === 'run' || before === 'closing';
  if (kind === 'closing') return before === 'run';
  return kind === 'checkpoint' ? before === 'run' || before === 'closing' : before === 'checkpoint';
}

function decodeItem(bytes: Uint8Array, offset: number): ArchiveItem {
  const value = decodeCbor(bytes, { bytesMax: itemBytesMax, depthMax: 3, itemsMax });
  const [kind, first, second, third, fourth, ...more] = Array.isArray(value) ? (value as readonly Cbor[]) : [];
  if (more.length > 0) throw invalid('an item is too long');
  if (kind === 1 && first instanceof Uint8Array && second === undefined) return { kind: 'genesis', bytes: first };
  if (kind === 2 && isBytesList(first) && isBytesList(second) && third instanceof Uint8Array && fourth === undefined) {
    return { kind: 'run', run: { headers: first, bodies: second, certificate: third }, offset };
  }
  if (kind === 3 && second === undefined) {
    if (first === null) return { kind: 'checkpoint', note: undefined };
    if (typeof first === 'string' && first.length <= checkpointBytesMax) return { kind: 'checkpoint', note: first };
  }
  if (kind === 5 && isCount(first) && typeof second === 'string' && third === undefined) {
    if (second.length <= checkpointBytesMax) return { kind: 'closing', epoch: first, note: second };
  }
  if (kind === 4 && Array.isArray(first) && isCount(second) && isCount(third) && isCount(fourth)) {
    const runs = first.map((entry: Cbor) => {
      const [height, at] = Array.isArray(entry) && entry.length === 2 ? (entry as readonly Cbor[]) : [];
      if (!isCount(height) || !isCount(at)) throw invalid('an entry of the index');
      return { height, offset: at };
    });
    return { kind: 'index', index: { runs, height: second, transactions: third, logSize: fourth } };
  }
  throw invalid('an item has no known form');
}

function isBytesList(value: Cbor | undefined): value is readonly Uint8Array[] {
  return Array.isArray(value) && value.length <= runBlocksMax && value.every((each) => each instanceof Uint8Array);
}

function isCount(value: Cbor | undefined): value is number {
  return typeof value === 'number' && value >= 0;
}

function invalid(why: string): WeftError {
  return new WeftError('ARCHIVE_INVALID', `Not a Weft archive: ${why}.`);
}

/** Takes exact lengths out of pieces, and hashes what was taken. */
class PieceReader {
  readonly #pieces: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  readonly #hash: Hash = createHash('sha256');
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  offset = 0;

  constructor(pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
    this.#pieces = Symbol.asyncIterator in pieces ? pieces[Symbol.asyncIterator]() : pieces[Symbol.iterator]();
  }

  /** A copy of the next bytes. */
  async take(length: number): Promise<Uint8Array> {
    while (this.#heldBytes < length) if (!(await this.#more())) throw invalid('it ends too early');
    const taken = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const piece = this.#held[0] ?? taken;
      const part = piece.subarray(0, length - at);
      taken.set(part, at);
      at += part.length;
      if (part.length === piece.length) this.#held.shift();
      else this.#held[0] = piece.subarray(part.length);
    }
    this.#heldBytes -= length;
    this.offset += length;
    this.#hash.update(taken);
    return taken;
  }

  /** Of everything taken so far. */
  digest(): Uint8Array {
    return new Uint8Array(this.#hash.copy().digest());
  }

  async atEnd(): Promise<boolean> {
    while (this.#heldBytes === 0) if (!(await this.#more())) return true;
    return false;
  }

  async #more(): Promise<boolean> {
    const next = await this.#pieces.next();
    if (next.done === true) return false;
    if (next.value.length === 0) return true;
    this.#held.push(next.value);
    this.#heldBytes += next.value.length;
    return true;
  }
}
