import type { Connection } from '@libp2p/interface';
import type { Lane, NetworkLimits, SendHint } from '../types.ts';
import { type DirectStream, roomBytes } from '../yamux/stream.ts';
import {
  answerKind,
  decodePreface,
  encodePreface,
  FrameReader,
  frameLength,
  headKind,
  ownerKindMax,
  partKind,
  pingKind,
  prefaceKind,
  type RawFrame,
  readU32,
  requestKind,
  writeFrame,
  writeU32,
} from './frame.ts';
import { LaneQueue, type Queued } from './queue.ts';

/** Counters of one lane kind, shared by its links over the life of the network. */
export type LaneCounters = {
  bytesIn: number;
  bytesOut: number;
  messagesIn: number;
  messagesOut: number;
  overflowDropped: number;
  budgetDropped: number;
  misbehaved: number;
};

export type LinkOptions = {
  readonly peer: string;
  readonly lane: Lane;
  readonly limits: NetworkLimits;
  readonly hello: Uint8Array;
};

export type LinkModules = {
  readonly stream: DirectStream;
  readonly connection: Connection;
  readonly counters: LaneCounters;
  readonly nowMs: () => number;
  /** The peer's preface has come: the lane is usable. False = misbehaviour. */
  readonly onOpen: (link: LaneLink, hello: Uint8Array) => boolean;
  /** One complete message. False = misbehaviour: the link is then closed. */
  readonly onMessage: (link: LaneLink, kind: number, payload: Uint8Array) => boolean;
  /** Once, for whatever reason. */
  readonly onClosed: (link: LaneLink, reason: string, misbehaved: boolean) => void;
};

/** A message that comes in parts. Its room grows with what has come: neither parts of a byte nor a total that never comes cost more. */
type Receiving = { readonly kind: number; readonly total: number; bytes: number; room: Uint8Array };

/** Bytes handed to libp2p in one go: one yamux window would be 256 KiB, one TLS record is 16 KiB. */
const batchBytesMax = 64 * 1024;

/**
 * One open lane: a stream on a connection of its own. Owns both: when the link closes, the connection is cut, so that
 * the other side learns of it at once. Every error of the stream ends in `onClosed`, none is thrown.
 */
export class LaneLink {
  readonly peer: string;
  readonly lane: Lane;
  readonly connection: Connection;
  readonly openedMs: number;
  readonly #options: LinkOptions;
  readonly #modules: LinkModules;
  readonly #stream: DirectStream;
  readonly #reader = new FrameReader();
  readonly #queue: LaneQueue;
  #lastByteMs: number;
  #state: 'opening' | 'open' | 'closed' = 'opening';
  #peerMessageBytesMax = 0;
  #flushing = false;
  #blocked = false;
  readonly #flushNow = (): void => {
    this.#flushing = false;
    this.#flush();
  };
  /** Ticks that are asked for in a microtask come after all of those. */
  readonly #flushSoon = (): void => process.nextTick(this.#flushNow);
  readonly #takeFrame = (frame: RawFrame): boolean => {
    if (!this.#onFrame(frame)) this.misbehaved(`frame of kind ${frame.kind} refused`);
    return !this.isClosed;
  };
  /** A message above one frame of which a part has gone out already. */
  #sending: { readonly payload: Uint8Array; offset: number } | undefined;
  #receiving: Receiving | undefined;

  constructor(options: LinkOptions, modules: LinkModules) {
    this.peer = options.peer;
    this.lane = options.lane;
    this.connection = modules.connection;
    this.#options = options;
    this.#modules = modules;
    this.#stream = modules.stream;
    this.openedMs = modules.nowMs();
    this.#lastByteMs = this.openedMs;
    this.#queue = new LaneQueue({
      messagesMax: options.limits.queueMessagesMax,
      bytesMax: options.limits.queueBytesMax,
    });
  }

  /** Attaches to the stream and sends the preface. Apart from the constructor, so that the owner has the link in hand first. */
  start(): void {
    const stream = this.#stream;
    stream.takeBytes((bytes) => this.#onBytes(bytes));
    stream.addEventListener('drain', () => {
      this.#blocked = false;
      this.#flush();
    });
    stream.addEventListener('close', (event) => this.close(event.error?.message ?? 'stream closed'));
    stream.addEventListener('remoteCloseWrite', () => this.close('closed by the peer'));
    this.connection.addEventListener('close', () => this.close('connection closed'));
    if (stream.status !== 'open' || this.connection.status !== 'open') {
      this.close('closed while opening');
      return;
    }
    const { limits, hello } = this.#options;
    const preface = encodePreface({ messageBytesMax: limits.messageBytesMax, hello });
    this.#write(oneFrame(prefaceKind, preface));
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  get queuedMessages(): number {
    return this.#queue.length;
  }

  get queuedBytes(): number {
    return this.#queue.bytes;
  }

  /** False = dropped (closed, above what the peer takes, or by the overflow rule). */
  send(kind: number, payload: Uint8Array, hint: SendHint = {}): boolean {
    if (this.#state !== 'open' || payload.length > this.#peerMessageBytesMax) return false;
    const before = this.#queue.dropped;
    const kept = this.#queue.push({ kind, payload, hint });
    this.#modules.counters.overflowDropped += this.#queue.dropped - before;
    if (!this.#flushing && !this.#blocked) {
      this.#flushing = true;
      // What one step of the engine sends becomes one write, also when it sends in several microtasks; on the bulk lane what
      // all steps of one turn of the event loop send.
      if (this.lane === 'bulk') setImmediate(this.#flushNow);
      else queueMicrotask(this.#flushSoon);
    }
    return kept;
  }

  /** A ping unless the last one still waits for room. */
  ping(payload: Uint8Array): void {
    if (!this.#queue.has(pingKind)) this.send(pingKind, payload);
  }

  /** Milliseconds without a byte from the peer. */
  silentMs(): number {
    return this.#modules.nowMs() - this.#lastByteMs;
  }

  /** A lost wake-up of the stream must not stall a lane for ever: called with each tick. */
  nudge(): void {
    if (this.#blocked && !this.#stream.writableNeedsDrain) {
      this.#blocked = false;
      this.#flush();
    }
  }

  misbehaved(reason: string): void {
    if (this.#state === 'closed') return;
    this.#modules.counters.misbehaved++;
    this.#end(reason, true);
  }

  close(reason: string): void {
    if (this.#state !== 'closed') this.#end(reason, false);
  }

  #end(reason: string, misbehaved: boolean): void {
    this.#state = 'closed';
    this.#queue.clear();
    this.#sending = undefined;
    this.#receiving = undefined;
    try {
      this.connection.abort(new Error(reason));
    } catch {
      // Already gone: the point of the call.
    }
    this.#modules.onClosed(this, reason, misbehaved);
  }

  #onBytes(bytes: Uint8Array): void {
    if (this.#state === 'closed') return;
    this.#lastByteMs = this.#modules.nowMs();
    this.#modules.counters.bytesIn += bytes.length;
    if (!this.#reader.push(bytes, this.#takeFrame)) this.misbehaved('frame length out of bounds');
  }

  #onFrame(frame: RawFrame): boolean {
    if (this.#state === 'opening') {
      const preface =
        frame.kind === prefaceKind ? decodePreface(frame.payload, this.#options.limits.helloBytesMax) : undefined;
      if (preface === undefined) return false;
      this.#state = 'open';
      this.#peerMessageBytesMax = preface.messageBytesMax;
      return this.#modules.onOpen(this, preface.hello);
    }
    if (frame.kind === prefaceKind) return false;
    if (frame.kind === headKind || frame.kind === partKind) return this.#onPart(frame);
    if (this.#receiving !== undefined) return false;
    return this.#deliver(frame.kind, frame.payload);
  }

  #onPart({ kind, payload }: RawFrame): boolean {
    if (kind === headKind) {
      const total = payload.length < 5 ? 0 : readU32(payload, 0);
      const inner = payload[4] ?? partKind;
      const splits = inner <= ownerKindMax || inner === requestKind || inner === answerKind;
      const known = this.lane === 'bulk' && this.#receiving === undefined && splits;
      if (!known || total === 0 || total > this.#options.limits.messageBytesMax) return false;
      this.#receiving = { kind: inner, total, bytes: 0, room: new Uint8Array(0) };
      return this.#append(this.#receiving, payload.subarray(5));
    }
    if (this.#receiving === undefined || payload.length === 0) return false;
    return this.#append(this.#receiving, payload);
  }

  #append(receiving: Receiving, part: Uint8Array): boolean {
    const { kind, total, bytes, room } = receiving;
    const end = bytes + part.length;
    if (end > total) return false;
    if (end > room.length) {
      receiving.room = new Uint8Array(Math.min(total, Math.max(2 * room.length, end)));
      receiving.room.set(room.subarray(0, bytes));
    }
    receiving.room.set(part, bytes);
    receiving.bytes = end;
    if (end < total) return true;
    this.#receiving = undefined;
    return this.#deliver(kind, receiving.room);
  }

  #deliver(kind: number, payload: Uint8Array): boolean {
    this.#modules.counters.messagesIn++;
    return this.#modules.onMessage(this, kind, payload);
  }

  #flush(): void {
    while (this.#state === 'open' && !this.#blocked) {
      const batch = this.#nextBatch();
      if (batch === undefined) return;
      this.#write(batch);
    }
  }

  /** Frames behind room for the stream's own head. */
  #write(buffer: Buffer): void {
    try {
      this.#modules.counters.bytesOut += buffer.length - roomBytes;
      // False = taken, but wait for `drain` with the next one.
      if (!this.#stream.sendRoomy(buffer)) this.#blocked = true;
    } catch (error) {
      this.close(error instanceof Error ? error.message : 'stream refused to send');
    }
  }

  #nextBatch(): Buffer | undefined {
    if (this.#sending !== undefined) return this.#nextPart(this.#sending);
    const first = this.#queue.peek();
    if (first === undefined) return undefined;
    if (first.payload.length > this.#options.limits.framePayloadBytesMax + this.#room(first)) {
      this.#queue.shift();
      this.#modules.counters.messagesOut++;
      return this.#head(first);
    }
    if (this.#queue.length === 1) {
      this.#queue.shift();
      this.#modules.counters.messagesOut++;
      return oneFrame(first.kind, first.payload);
    }
    const items: Queued[] = [];
    let size = 0;
    for (let item = this.#queue.peek(); item !== undefined; item = this.#queue.peek()) {
      const length = frameLength(item.payload.length);
      if (items.length > 0 && size + length > batchBytesMax) break;
      if (item.payload.length > this.#options.limits.framePayloadBytesMax + this.#room(item)) break;
      this.#queue.shift();
      items.push(item);
      size += length;
    }
    const batch = Buffer.allocUnsafe(roomBytes + size);
    let offset = roomBytes;
    for (const item of items) offset = writeFrame(batch, offset, item.kind, item.payload);
    this.#modules.counters.messagesOut += items.length;
    return batch;
  }

  /** The network's own kinds carry headers around a payload of the owner's; the frame bound has room for those. */
  #room({ kind }: Queued): number {
    return kind > ownerKindMax ? 256 : 0;
  }

  #head(item: Queued): Buffer {
    const partBytes = this.#options.limits.framePayloadBytesMax;
    const payload = new Uint8Array(5 + partBytes);
    writeU32(payload, 0, item.payload.length);
    payload[4] = item.kind;
    payload.set(item.payload.subarray(0, partBytes), 5);
    this.#sending = { payload: item.payload, offset: partBytes };
    return oneFrame(headKind, payload);
  }

  #nextPart(sending: { readonly payload: Uint8Array; offset: number }): Buffer {
    const end = Math.min(sending.payload.length, sending.offset + this.#options.limits.framePayloadBytesMax);
    const part = sending.payload.subarray(sending.offset, end);
    sending.offset = end;
    if (end === sending.payload.length) this.#sending = undefined;
    return oneFrame(partKind, part);
  }
}

function oneFrame(kind: number, payload: Uint8Array): Buffer {
  const buffer = Buffer.allocUnsafe(roomBytes + frameLength(payload.length));
  writeFrame(buffer, roomBytes, kind, payload);
  return buffer;
}
