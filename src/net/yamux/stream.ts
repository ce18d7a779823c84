import {
  type AbortOptions,
  type EventHandler,
  type Logger,
  type MessageStreamEvents,
  type MessageStreamReadStatus,
  type MessageStreamStatus,
  type MessageStreamWriteStatus,
  type Stream,
  StreamAbortEvent,
  StreamBufferError,
  StreamCloseEvent,
  StreamMessageEvent,
  StreamResetError,
  StreamResetEvent,
  StreamStateError,
  TypedEventEmitter,
} from '@libp2p/interface';
import { dataType, finFlag, headBytes, initialWindowBytes, lone, rstFlag, windowType, writeHead } from './frame.ts';
import type { Pipe } from './pipe.ts';

/**
 * What a lane uses of a stream, apart from its end: bytes come by a call instead of an event, and a message goes out in the
 * buffer in which it was written, with the frame's head in the room in front of it.
 */
export type DirectStream = Stream & {
  /** From the next microtask on all bytes go to `onBytes`, those that wait first. They may be kept; nobody writes to them. */
  takeBytes(onBytes: (bytes: Uint8Array) => void): void;
  /** Sends what follows the first `roomBytes` of `buffer`, which is the stream's from now on. Same answer as `send`. */
  sendRoomy(buffer: Uint8Array): boolean;
};

/** Room in front of what `sendRoomy` sends. */
export const roomBytes = headBytes;

/** What the peer may send before it is granted more: enough for 5 MB/s at a round trip of 200 ms. */
export const receiveWindowBytes = 1024 * 1024;
/** As much is read before it is granted again. */
const grantBytes = receiveWindowBytes / 4;
/** Longer messages travel in several frames. */
const frameBytesMax = 64 * 1024;

type Bytes = Uint8Array | { subarray(): Uint8Array };

export type YamuxStreamModules = {
  readonly log: Logger;
  readonly pipe: Pipe;
  /** Once, before the `close` event. */
  readonly onEnded: () => void;
};

/** One stream. Its behaviour towards libp2p is that of `AbstractStream` in `@libp2p/utils`. */
export class YamuxStream extends TypedEventEmitter<MessageStreamEvents> implements DirectStream {
  readonly id: string;
  readonly direction: 'inbound' | 'outbound';
  readonly log: Logger;
  readonly timeline: { open: number; close?: number } = { open: Date.now() };
  /** Set once it is negotiated. */
  protocol = '';
  status: MessageStreamStatus = 'open';
  readStatus: MessageStreamReadStatus = 'readable';
  writeStatus: MessageStreamWriteStatus = 'writable';
  remoteReadStatus: MessageStreamReadStatus = 'readable';
  remoteWriteStatus: MessageStreamWriteStatus = 'writable';
  inactivityTimeout = 120_000;
  maxReadBufferLength = 4 * 1024 * 1024;
  maxWriteBufferLength?: number;
  writableNeedsDrain = false;
  readableEnded = false;
  readonly #streamId: number;
  readonly #pipe: Pipe;
  readonly #onEnded: () => void;
  #takes: ((bytes: Uint8Array) => void) | undefined;
  /** Came while nobody listened. */
  #inbox: Uint8Array[] = [];
  #inboxBytes = 0;
  /** Of those in the inbox, what counts as read once they are handed on: what was put back has counted already. */
  #inboxUnread = 0;
  #outbox: Uint8Array[] = [];
  #outboxBytes = 0;
  #sendable = initialWindowBytes;
  #receivable = receiveWindowBytes;
  #ungranted = 0;

  constructor(streamId: number, direction: 'inbound' | 'outbound', { log, pipe, onEnded }: YamuxStreamModules) {
    super();
    this.#streamId = streamId;
    this.id = String(streamId);
    this.direction = direction;
    this.log = log;
    this.#pipe = pipe;
    this.#onEnded = onEnded;
  }

  get readBufferLength(): number {
    return this.#inboxBytes;
  }

  get writeBufferLength(): number {
    return this.#outboxBytes;
  }

  /** What the peer may still send. */
  get receivable(): number {
    return this.#receivable;
  }

  // Towards the muxer.

  /** Tells the peer of the stream (or that it was accepted), and grants the whole window. */
  open(flag: number): void {
    this.#pipe.write(lone(windowType, flag, this.#streamId, receiveWindowBytes - initialWindowBytes));
  }

  /** A data frame of this length begins; the muxer has compared it with `receivable`. */
  onBegin(length: number): void {
    this.#receivable -= length;
  }

  onBytes(bytes: Uint8Array): void {
    if (this.readStatus === 'closed' || this.readStatus === 'closing') this.#read(bytes.length);
    else if (this.#takes !== undefined && this.#inboxBytes === 0) {
      this.#read(bytes.length);
      this.#takes(bytes);
    } else {
      this.#inbox.push(bytes);
      this.#inboxBytes += bytes.length;
      this.#inboxUnread += bytes.length;
      this.#handOn();
    }
  }

  onGrant(bytes: number): void {
    this.#sendable += bytes;
    if (this.#outboxBytes > 0) this.#pump();
  }

  onFlags(flags: number): void {
    if ((flags & rstFlag) !== 0) this.#onReset();
    else if ((flags & finFlag) !== 0) this.#onRemoteFin();
  }

  /** The connection takes bytes again. */
  onRoom(): void {
    this.#grant();
    this.#pump();
  }

  onTransportClosed(): void {
    if (this.#isOver()) return;
    if (this.#inboxBytes === 0) this.readStatus = 'closed';
    this.#finish('closed', new StreamCloseEvent());
  }

  // Towards lanes.

  takeBytes(onBytes: (bytes: Uint8Array) => void): void {
    queueMicrotask(() => {
      if (this.readStatus === 'closed' && this.#inboxBytes === 0) return;
      this.#takes = onBytes;
      this.#handOn();
    });
  }

  sendRoomy(buffer: Uint8Array): boolean {
    const length = buffer.length - headBytes;
    if (this.writeStatus !== 'writable' || this.writableNeedsDrain || length > this.#sendable)
      return this.send(buffer.subarray(headBytes));
    this.#sendable -= length;
    writeHead(buffer, 0, dataType, 0, this.#streamId, length);
    if (!this.#pipe.write(buffer)) this.writableNeedsDrain = true;
    return !this.writableNeedsDrain;
  }

  // Towards libp2p.

  send(data: Bytes): boolean {
    if (this.writeStatus !== 'writable') throw new StreamStateError(`the stream is ${this.writeStatus} for writing`);
    const bytes = data instanceof Uint8Array ? data : data.subarray();
    if (bytes.length === 0) return !this.writableNeedsDrain;
    this.#outbox.push(bytes);
    this.#outboxBytes += bytes.length;
    this.#pump();
    if (this.#outboxBytes > (this.maxWriteBufferLength ?? Number.POSITIVE_INFINITY))
      this.abort(new StreamBufferError(`${this.#outboxBytes} bytes wait to be sent`));
    return !this.writableNeedsDrain;
  }

  async close(options?: AbortOptions): Promise<void> {
    if (this.writeStatus !== 'writable') return;
    this.writeStatus = 'closing';
    if (this.#outboxBytes > 0) await this.#told('idle', options?.signal);
    if (this.#isOver()) return;
    this.#pipe.write(lone(windowType, finFlag, this.#streamId, 0));
    this.writeStatus = 'closed';
    if (this.remoteWriteStatus === 'closed') this.onTransportClosed();
  }

  async closeRead(): Promise<void> {
    if (this.readStatus === 'closing' || this.readStatus === 'closed') return;
    this.#dropInbox();
    this.readStatus = 'closed';
    this.#maybeEnd();
  }

  abort(error: Error): void {
    if (this.#isOver()) return;
    this.#pipe.write(lone(windowType, rstFlag, this.#streamId, 0));
    this.#dropInbox();
    this.readStatus = 'closed';
    this.#finish('aborted', new StreamAbortEvent(error));
  }

  pause(): void {
    if (this.readStatus !== 'readable' && this.readStatus !== 'paused')
      throw new StreamStateError(`the stream is ${this.readStatus} for reading`);
    this.readStatus = 'paused';
  }

  resume(): void {
    if (this.readStatus !== 'readable' && this.readStatus !== 'paused')
      throw new StreamStateError(`the stream is ${this.readStatus} for reading`);
    this.readStatus = 'readable';
    this.#handOn();
  }

  push(data: Bytes): void {
    this.#putBack(data, 'push');
  }

  unshift(data: Bytes): void {
    this.#putBack(data, 'unshift');
  }

  onDrain(options?: AbortOptions): Promise<void> {
    return this.writableNeedsDrain ? this.#told('drain', options?.signal) : Promise.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    if (this.readStatus !== 'readable' && this.readStatus !== 'paused') return;
    const waiting: Uint8Array[] = [];
    let ended: { error?: Error } | undefined;
    let wake = (): void => {};
    const onMessage = ({ data }: StreamMessageEvent): void => {
      waiting.push(data instanceof Uint8Array ? data : data.subarray());
      wake();
    };
    const onEnd = (event: Event): void => {
      ended = event instanceof StreamCloseEvent && event.error !== undefined ? { error: event.error } : {};
      wake();
    };
    this.addEventListener('message', onMessage);
    this.addEventListener('close', onEnd);
    this.addEventListener('remoteCloseWrite', onEnd);
    try {
      for (;;) {
        const bytes = waiting.shift();
        if (bytes !== undefined) yield bytes;
        else if (ended?.error !== undefined) throw ended.error;
        else if (ended !== undefined) return;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      this.removeEventListener('message', onMessage);
      this.removeEventListener('close', onEnd);
      this.removeEventListener('remoteCloseWrite', onEnd);
    }
  }

  override addEventListener<K extends keyof MessageStreamEvents>(
    type: K,
    listener: EventHandler<MessageStreamEvents[K]> | null,
    options?: boolean | AddEventListenerOptions,
  ): void {
    super.addEventListener(type, listener, options);
    // Not at once: who listens may still be under construction.
    if (type === 'message' && this.#inboxBytes > 0) queueMicrotask(() => this.#handOn());
  }

  #isOver(): boolean {
    return this.status !== 'open' && this.status !== 'closing';
  }

  /** So many bytes have been read: grants them again once they are worth a frame. */
  #read(bytes: number): void {
    this.#ungranted += bytes;
    if (this.#ungranted >= grantBytes) this.#grant();
  }

  /** Nothing before a protocol is agreed on: that needs little. Nothing while our own frames wait: grants are not urgent then. */
  #grant(): void {
    if (this.#ungranted < grantBytes || this.protocol === '' || this.#isOver() || this.#pipe.full()) return;
    const bytes = this.#ungranted;
    this.#ungranted = 0;
    this.#receivable += bytes;
    this.#pipe.write(lone(windowType, 0, this.#streamId, bytes));
  }

  #handOn(): void {
    const listens = this.#takes !== undefined || this.listenerCount('message') > 0;
    if (!listens || this.#inboxBytes === 0 || this.readStatus !== 'readable') return;
    const [first = new Uint8Array(0), ...others] = this.#inbox;
    const bytes = others.length === 0 ? first : Buffer.concat(this.#inbox);
    const unread = this.#inboxUnread;
    this.#dropInbox();
    this.#read(unread);
    if (this.#takes !== undefined) this.#takes(bytes);
    else this.dispatchEvent(new StreamMessageEvent(bytes));
    if (this.remoteWriteStatus !== 'closed' || this.#inboxBytes > 0) return;
    this.readStatus = 'closed';
    this.#maybeEnd();
  }

  #putBack(data: Bytes, how: 'push' | 'unshift'): void {
    if (this.readStatus === 'closed' || this.readStatus === 'closing')
      throw new StreamStateError(`the stream is ${this.readStatus} for reading`);
    const bytes = data instanceof Uint8Array ? data : data.subarray();
    if (bytes.length === 0) return;
    this.#inbox[how](bytes);
    this.#inboxBytes += bytes.length;
    if (this.#inboxBytes > this.maxReadBufferLength)
      this.abort(new StreamBufferError(`${this.#inboxBytes} bytes wait to be read`));
    else queueMicrotask(() => this.#handOn());
  }

  #dropInbox(): void {
    this.#inbox = [];
    this.#inboxBytes = 0;
    this.#inboxUnread = 0;
  }

  /** Sends what the window and the connection take. */
  #pump(): void {
    const had = this.#outboxBytes > 0;
    while (this.#outboxBytes > 0 && this.#sendable > 0 && !this.#pipe.full()) {
      const [first = new Uint8Array(0)] = this.#outbox;
      const piece = first.subarray(0, Math.min(this.#sendable, frameBytesMax));
      if (piece.length === first.length) this.#outbox.shift();
      else this.#outbox[0] = first.subarray(piece.length);
      this.#outboxBytes -= piece.length;
      this.#sendable -= piece.length;
      const frame = Buffer.allocUnsafe(headBytes + piece.length);
      writeHead(frame, 0, dataType, 0, this.#streamId, piece.length);
      frame.set(piece, headBytes);
      this.#pipe.write(frame);
    }
    const drained = this.writableNeedsDrain;
    this.writableNeedsDrain = this.#outboxBytes > 0 || this.#pipe.full();
    if (had && this.#outboxBytes === 0) this.safeDispatchEvent('idle');
    if (drained && !this.writableNeedsDrain) this.safeDispatchEvent('drain');
  }

  /** Resolves with the event; rejects when the stream or the caller's patience ends first. */
  #told(what: 'idle' | 'drain', signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: unknown): void => {
        this.removeEventListener(what, onEvent);
        this.removeEventListener('close', onClose);
        signal?.removeEventListener('abort', onAbort);
        if (error === undefined) resolve();
        else reject(error);
      };
      const onEvent = (): void => settle();
      const onClose = (): void => settle(new StreamStateError('the stream has ended'));
      const onAbort = (): void => settle(signal?.reason ?? new Error('aborted'));
      this.addEventListener(what, onEvent);
      this.addEventListener('close', onClose);
      signal?.addEventListener('abort', onAbort, { once: true });
      if (signal?.aborted === true) onAbort();
    });
  }

  #onRemoteFin(): void {
    if (this.remoteWriteStatus === 'closed') return;
    this.remoteWriteStatus = 'closed';
    this.safeDispatchEvent('remoteCloseWrite');
    this.#maybeEnd();
    if (this.writeStatus === 'closed') this.onTransportClosed();
  }

  #onReset(): void {
    if (this.#isOver()) return;
    if (this.#inboxBytes === 0) this.readStatus = 'closed';
    this.#finish('reset', new StreamResetEvent(new StreamResetError()));
  }

  #finish(status: MessageStreamStatus, event: StreamCloseEvent): void {
    this.status = status;
    this.writeStatus = 'closed';
    this.remoteWriteStatus = 'closed';
    this.remoteReadStatus = 'closed';
    this.timeline.close = Date.now();
    this.#outbox = [];
    this.#outboxBytes = 0;
    this.#onEnded();
    this.#maybeEnd();
    this.dispatchEvent(event);
  }

  #maybeEnd(): void {
    if (this.readableEnded || this.#inboxBytes > 0) return;
    if (this.remoteWriteStatus !== 'closed' && this.readStatus !== 'closed') return;
    this.readableEnded = true;
    this.safeDispatchEvent('end');
  }
}
