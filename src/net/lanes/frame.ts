import { frameOverheadBytesMax, framePayloadBytesMax, peerNameBytesMax } from '../limits.ts';

/**
 * What travels on a lane's stream:
 *
 *     frame   := length u32 ‖ kind u8 ‖ payload        length = 1 + payload, big-endian, at most frameBytesMax
 *     preface := version u8 ‖ messageBytesMax u32 ‖ hello
 *     ping    := count u8 ‖ count × name               validators heard directly of late (urgent), empty on bulk
 *     request := id u32 ‖ kind u8 ‖ payload
 *     answer  := id u32 ‖ status u8 ‖ payload
 *     relay   := name of the target ‖ kind u8 ‖ payload
 *     relayed := kind u8 ‖ payload
 *     head    := total u32 ‖ kind u8 ‖ first bytes     a message above one frame; `part` frames follow until `total`
 *     name    := length u8 ‖ UTF-8
 *
 * The preface is the first frame of each side. Kinds 0…191 belong to the network's owner.
 */
export const frameBytesMax = 1 + framePayloadBytesMax + frameOverheadBytesMax;
export const ownerKindMax = 191;

export const prefaceKind = 255;
export const pingKind = 254;
export const requestKind = 253;
export const answerKind = 252;
export const relayKind = 251;
export const relayedKind = 250;
export const headKind = 249;
export const partKind = 248;

const protocolVersion = 1;

export const answered = 0;
export const absent = 1;
export const busy = 2;
export type AnswerStatus = typeof answered | typeof absent | typeof busy;

export type RawFrame = { readonly kind: number; readonly payload: Uint8Array };

const headerBytes = 5;
const utf8 = new TextEncoder();
const utf8Strict = new TextDecoder('utf-8', { fatal: true });

/** Bytes that a payload of this length takes on the wire as one frame. */
export function frameLength(payloadBytes: number): number {
  return headerBytes + payloadBytes;
}

/** Writes one frame into `target` at `offset`; the caller has made sure of the room. Returns the offset after it. */
export function writeFrame(target: Uint8Array, offset: number, kind: number, payload: Uint8Array): number {
  writeU32(target, offset, 1 + payload.length);
  target[offset + 4] = kind;
  target.set(payload, offset + headerBytes);
  return offset + headerBytes + payload.length;
}

export function writeU32(target: Uint8Array, offset: number, value: number): void {
  target[offset] = value >>> 24;
  target[offset + 1] = value >>> 16;
  target[offset + 2] = value >>> 8;
  target[offset + 3] = value;
}

/** The caller has made sure that four bytes are there. */
export function readU32(bytes: Uint8Array, offset: number): number {
  return (
    (byteAt(bytes, offset) * 0x1000000 +
      (byteAt(bytes, offset + 1) << 16) +
      (byteAt(bytes, offset + 2) << 8) +
      byteAt(bytes, offset + 3)) >>>
    0
  );
}

function byteAt(bytes: Uint8Array, offset: number): number {
  return bytes[offset] ?? 0;
}

/** A payload is a view of the bytes that came while those are few, or mostly it: above, a small vote would hold them all. */
const viewedBytesMax = 4 * 1024;
const viewedShare = 4;

/**
 * Cuts the stream's bytes into frames. Holds at most one incomplete frame, for which there is room once its length is known
 * to be within bounds. Nobody writes to a payload afterwards; it may share its memory with others that came at once.
 */
export class FrameReader {
  readonly #head = new Uint8Array(headerBytes);
  #headHas = 0;
  #body: Buffer | undefined;
  #bodyHas = 0;

  /** Calls `onFrame` for each complete frame until it answers false. False = malformed (a length of 0 or above the bound). */
  push(bytes: Uint8Array, onFrame: (frame: RawFrame) => boolean): boolean {
    let offset = 0;
    while (offset < bytes.length) {
      if (this.#body === undefined && this.#headHas === 0 && bytes.length - offset >= headerBytes) {
        const length = readU32(bytes, offset);
        if (length === 0 || length > frameBytesMax) return false;
        const end = offset + 4 + length;
        if (end <= bytes.length) {
          const payload = keepable(bytes, offset + headerBytes, end);
          const kind = byteAt(bytes, offset + 4);
          offset = end;
          if (!onFrame({ kind, payload })) return true;
          continue;
        }
      }
      if (this.#body === undefined) {
        while (this.#headHas < headerBytes && offset < bytes.length)
          this.#head[this.#headHas++] = byteAt(bytes, offset++);
        if (this.#headHas < 4) return true;
        const length = readU32(this.#head, 0);
        if (length === 0 || length > frameBytesMax) return false;
        if (this.#headHas < headerBytes) return true;
        this.#body = Buffer.allocUnsafeSlow(length - 1);
        this.#bodyHas = 0;
      }
      const body = this.#body;
      const end = Math.min(bytes.length, offset + body.length - this.#bodyHas);
      body.set(bytes.subarray(offset, end), this.#bodyHas);
      this.#bodyHas += end - offset;
      offset = end;
      if (this.#bodyHas < body.length) return true;
      this.#body = undefined;
      this.#headHas = 0;
      if (!onFrame({ kind: byteAt(this.#head, 4), payload: body })) return true;
    }
    return true;
  }
}

function keepable(bytes: Uint8Array, from: number, to: number): Uint8Array {
  const held = bytes.buffer.byteLength;
  if (held <= viewedBytesMax || (to - from) * viewedShare >= held) return bytes.subarray(from, to);
  const copy = Buffer.allocUnsafeSlow(to - from);
  copy.set(bytes.subarray(from, to));
  return copy;
}

export type Preface = { readonly messageBytesMax: number; readonly hello: Uint8Array };

export function encodePreface(preface: Preface): Uint8Array {
  const bytes = new Uint8Array(5 + preface.hello.length);
  bytes[0] = protocolVersion;
  writeU32(bytes, 1, preface.messageBytesMax);
  bytes.set(preface.hello, 5);
  return bytes;
}

export function decodePreface(bytes: Uint8Array, helloBytesMax: number): Preface | undefined {
  if (bytes.length < 5 || bytes.length > 5 + helloBytesMax || bytes[0] !== protocolVersion) return undefined;
  return { messageBytesMax: readU32(bytes, 1), hello: bytes.subarray(5) };
}

/** At most 255 names; what is above is left out. */
export function encodePing(names: readonly string[]): Uint8Array {
  const encoded = names.slice(0, 255).map((name) => utf8.encode(name));
  const bytes = new Uint8Array(1 + encoded.reduce((sum, name) => sum + 1 + name.length, 0));
  bytes[0] = encoded.length;
  let offset = 1;
  for (const name of encoded) offset = writeName(bytes, offset, name);
  return bytes;
}

export function decodePing(bytes: Uint8Array): readonly string[] | undefined {
  const count = bytes[0];
  if (count === undefined) return undefined;
  const names: string[] = [];
  let offset = 1;
  for (let index = 0; index < count; index++) {
    const read = readName(bytes, offset);
    if (read === undefined) return undefined;
    names.push(read.name);
    offset = read.end;
  }
  return offset === bytes.length ? names : undefined;
}

export type Request = { readonly id: number; readonly kind: number; readonly payload: Uint8Array };

export function encodeRequest(request: Request): Uint8Array {
  const bytes = new Uint8Array(5 + request.payload.length);
  writeU32(bytes, 0, request.id);
  bytes[4] = request.kind;
  bytes.set(request.payload, 5);
  return bytes;
}

export function decodeRequest(bytes: Uint8Array): Request | undefined {
  const kind = bytes[4];
  if (kind === undefined || kind > ownerKindMax) return undefined;
  return { id: readU32(bytes, 0), kind, payload: bytes.subarray(5) };
}

export type Answer = { readonly id: number; readonly status: AnswerStatus; readonly payload: Uint8Array };

export function encodeAnswer(answer: Answer): Uint8Array {
  const bytes = new Uint8Array(5 + answer.payload.length);
  writeU32(bytes, 0, answer.id);
  bytes[4] = answer.status;
  bytes.set(answer.payload, 5);
  return bytes;
}

export function decodeAnswer(bytes: Uint8Array): Answer | undefined {
  const status = bytes[4];
  if (status !== answered && status !== absent && status !== busy) return undefined;
  if (status !== answered && bytes.length !== 5) return undefined;
  return { id: readU32(bytes, 0), status, payload: bytes.subarray(5) };
}

export type Relay = { readonly to: string; readonly kind: number; readonly payload: Uint8Array };

export function encodeRelay(relay: Relay): Uint8Array {
  const name = utf8.encode(relay.to);
  const bytes = new Uint8Array(2 + name.length + relay.payload.length);
  const offset = writeName(bytes, 0, name);
  bytes[offset] = relay.kind;
  bytes.set(relay.payload, offset + 1);
  return bytes;
}

export function decodeRelay(bytes: Uint8Array): Relay | undefined {
  const read = readName(bytes, 0);
  if (read === undefined) return undefined;
  const inner = decodeRelayed(bytes.subarray(read.end));
  return inner === undefined ? undefined : { to: read.name, ...inner };
}

export function encodeRelayed(kind: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + payload.length);
  bytes[0] = kind;
  bytes.set(payload, 1);
  return bytes;
}

export function decodeRelayed(bytes: Uint8Array): RawFrame | undefined {
  const kind = bytes[0];
  if (kind === undefined || kind > ownerKindMax || bytes.length > 1 + framePayloadBytesMax) return undefined;
  return { kind, payload: bytes.subarray(1) };
}

function writeName(target: Uint8Array, offset: number, name: Uint8Array): number {
  target[offset] = name.length;
  target.set(name, offset + 1);
  return offset + 1 + name.length;
}

function readName(bytes: Uint8Array, offset: number): { name: string; end: number } | undefined {
  const length = bytes[offset];
  if (length === undefined || length === 0 || length > peerNameBytesMax) return undefined;
  const end = offset + 1 + length;
  if (end > bytes.length) return undefined;
  try {
    return { name: utf8Strict.decode(bytes.subarray(offset + 1, end)), end };
  } catch {
    return undefined;
  }
}
