import { crc32 } from 'node:zlib';
import { concat, encodeUtf8, equalBytes } from '../codec/utf8.ts';
import { sha256 } from '../crypto/hash.ts';

/**
 * Bytes of a journal segment, all numbers big-endian:
 *
 *     segment = "weft-journal/v1\n" ‖ identity (32) ‖ first sequence (u64) ‖ checksum (32) ‖ frame …
 *     frame   = marker (u32) ‖ payload length (u32) ‖ sequence (u64) ‖ durable (u64) ‖ crc (u32) ‖ checksum (32) ‖ payload
 *
 * Zeros behind the last frame are room for the next ones, and say nothing.
 *
 * The checksum of a frame is SHA-256 over that of the frame before it, its own first 24 bytes and its payload: a chain that
 * begins with the checksum of the head. `durable` is the last sequence that was synced when the frame was written: a frame
 * that says so proves that the ones up to there had been on the disk, so that what is missing below was lost, not torn. The crc
 * finds such frames behind a broken one, where the chain says nothing any more.
 */
const magic = encodeUtf8('weft-journal/v1\n');
export const segmentHeadBytes = 16 + 32 + 8 + 32;
export const frameHeadBytes = 4 + 4 + 8 + 8 + 4 + 32;
const signedBytes = 24;
const marker = 0x5746_4a52;
/** A block of the largest parameters and its header. */
export const payloadBytesMax = 64 * 1024 * 1024;

export type Frame = { readonly sequence: number; readonly payload: Uint8Array };

export type Segment = {
  readonly firstSequence: number;
  readonly frames: readonly Frame[];
  /** Of the last good frame. */
  readonly checksum: Uint8Array;
  /** Where the last good frame ends. */
  readonly end: number;
  /** Bytes of something behind it: without the zeros at the end, which are room that was made ready (files.ts). */
  readonly rest: number;
  /** A frame that is missing or broken had been synced once (W11: not complete). */
  readonly damaged: boolean;
};

export function encodeSegmentHead(identity: Uint8Array, firstSequence: number): Uint8Array {
  const head = new Uint8Array(segmentHeadBytes);
  head.set(magic, 0);
  head.set(identity, 16);
  new DataView(head.buffer).setBigUint64(48, BigInt(firstSequence));
  head.set(sha256(head.subarray(0, 56)), 56);
  return head;
}

/** A payload in pieces, one behind the other: a block's body is not copied before it is in its frame. */
export type Payload = readonly Uint8Array[];

export function payloadBytes(payload: Payload): number {
  let length = 0;
  for (const piece of payload) length += piece.length;
  return length;
}

/**
 * Frames of these payloads behind `lead` bytes that are left to the caller, in one piece. `sequence`: of the first; `before`: the
 * checksum before it.
 */
export function encodeFrames(
  payloads: readonly Payload[],
  sequence: number,
  durable: number,
  before: Uint8Array,
  lead = 0,
): { readonly bytes: Uint8Array; readonly checksum: Uint8Array } {
  let length = lead;
  for (const payload of payloads) length += frameHeadBytes + payloadBytes(payload);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  let checksum = before;
  let at = lead;
  for (const [i, payload] of payloads.entries()) {
    let end = at + frameHeadBytes;
    for (const piece of payload) {
      bytes.set(piece, end);
      end += piece.length;
    }
    // What is hashed stands in a row while the head is not written yet: the checksum before, the signed bytes, the payload.
    const signed = at + frameHeadBytes - signedBytes;
    bytes.set(checksum, signed - 32);
    writeSigned(view, signed, end - at - frameHeadBytes, sequence + i, durable);
    checksum = sha256(bytes.subarray(signed - 32, end));
    writeSigned(view, at, end - at - frameHeadBytes, sequence + i, durable);
    bytes.set(checksum, at + 28);
    view.setUint32(at + 24, crcOf(bytes.subarray(at, end)));
    at = end;
  }
  return { bytes, checksum };
}

function writeSigned(view: DataView, at: number, length: number, sequence: number, durable: number): void {
  view.setUint32(at, marker);
  view.setUint32(at + 4, length);
  writeCount(view, at + 8, sequence);
  writeCount(view, at + 16, durable);
}

function writeCount(view: DataView, at: number, count: number): void {
  view.setUint32(at, Math.floor(count / 2 ** 32));
  view.setUint32(at + 4, count % 2 ** 32);
}

/** Undefined when not even the head holds: then nothing is known. */
export function decodeSegment(bytes: Uint8Array, identity: Uint8Array): Segment | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < segmentHeadBytes || !equalBytes(bytes.subarray(0, 16), magic)) return undefined;
  if (!equalBytes(bytes.subarray(16, 48), identity)) return undefined;
  let checksum: Uint8Array = bytes.slice(56, segmentHeadBytes);
  if (!equalBytes(checksum, sha256(bytes.subarray(0, 56)))) return undefined;
  const firstSequence = Number(view.getBigUint64(48));
  const frames: Frame[] = [];
  let at = segmentHeadBytes;
  for (;;) {
    const head = readHead(bytes, view, at);
    const sequence = firstSequence + frames.length;
    if (head?.sequence !== sequence || view.getUint32(at + 24) !== crcOf(bytes.subarray(at, head.end))) break;
    const payload = bytes.slice(at + frameHeadBytes, head.end);
    const stored = bytes.slice(at + 28, at + frameHeadBytes);
    if (!equalBytes(stored, sha256(concat(checksum, bytes.subarray(at, at + signedBytes), payload)))) break;
    checksum = stored;
    frames.push({ sequence, payload });
    at = head.end;
  }
  return {
    firstSequence,
    frames,
    checksum,
    end: at,
    rest: lengthOf(bytes, at) - at,
    damaged: hadBeenDurable(bytes, view, at, firstSequence + frames.length),
  };
}

/** Without the zeros at the end; `from` at least. */
function lengthOf(bytes: Uint8Array, from: number): number {
  let length = bytes.length;
  while (length > from && bytes[length - 1] === 0) length -= 1;
  return length;
}

export type FoundFrame = {
  readonly at: number;
  readonly end: number;
  readonly sequence: number;
  readonly durable: number;
  readonly payload: Uint8Array;
};

/** Every frame whose crc holds, also behind broken ones, for people who look at a damaged journal. */
export function* framesIn(bytes: Uint8Array): Generator<FoundFrame> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = segmentHeadBytes; at + frameHeadBytes <= bytes.length; ) {
    const head = readHead(bytes, view, at);
    if (head === undefined || view.getUint32(at + 24) !== crcOf(bytes.subarray(at, head.end))) {
      at += 1;
      continue;
    }
    yield { at, ...head, payload: bytes.slice(at + frameHeadBytes, head.end) };
    at = head.end;
  }
}

/** Does any frame behind `at` say that `sequence` was once synced? */
function hadBeenDurable(bytes: Uint8Array, view: DataView, at: number, sequence: number): boolean {
  for (let i = at; i + frameHeadBytes <= bytes.length; i += 1) {
    if (bytes[i] !== 0x57 || view.getUint32(i) !== marker) continue;
    const head = readHead(bytes, view, i);
    if (
      head !== undefined &&
      head.durable >= sequence &&
      view.getUint32(i + 24) === crcOf(bytes.subarray(i, head.end))
    ) {
      return true;
    }
  }
  return false;
}

function readHead(
  bytes: Uint8Array,
  view: DataView,
  at: number,
): { sequence: number; durable: number; end: number } | undefined {
  if (at + frameHeadBytes > bytes.length || view.getUint32(at) !== marker) return undefined;
  const length = view.getUint32(at + 4);
  const end = at + frameHeadBytes + length;
  if (length > payloadBytesMax || end > bytes.length) return undefined;
  return { sequence: Number(view.getBigUint64(at + 8)), durable: Number(view.getBigUint64(at + 16)), end };
}

function crcOf(frame: Uint8Array): number {
  return crc32(frame.subarray(28), crc32(frame.subarray(0, signedBytes)));
}
