import {
  type CreateStreamOptions,
  type EventHandler,
  type MessageStream,
  MuxerClosedError,
  type StreamMuxer,
  type StreamMuxerEvents,
  type StreamMuxerFactory,
  type StreamMuxerStatus,
  TooManyOutboundProtocolStreamsError,
  TypedEventEmitter,
} from '@libp2p/interface';
import {
  ackFlag,
  dataType,
  goAwayType,
  headBytes,
  internalError,
  lone,
  normalEnd,
  pingType,
  protocolError,
  rstFlag,
  synFlag,
  windowType,
  yamuxProtocol,
} from './frame.ts';
import { openPipe, type Pipe } from './pipe.ts';
import { receiveWindowBytes, YamuxStream } from './stream.ts';

/**
 * Yamux, for few streams and many short messages: a frame that lies whole in what the socket gave is handed on as a view, a
 * message goes out as one write with its head in front, and grants are kept back until they are worth a frame.
 *
 * Bounds, whatever the peer sends: streams in each direction; unread bytes of a stream (its window, of which nothing is
 * granted again before it is read); and, for a peer that asks and does not read, bytes that wait to go out. A frame is never
 * collected: its bytes go on as they come. What breaks the protocol ends the connection.
 */
export function weftYamux(streamsMax: number): () => StreamMuxerFactory {
  return () => ({
    protocol: yamuxProtocol,
    createStreamMuxer: (connection) => new Yamux(connection, streamsMax),
  });
}

/** Streams that the peer opened before anybody listens. */
const earlyStreamsMax = 10;
/** Above what lanes and gossip let wait together. */
const pendingBytesMax = 16 * 1024 * 1024;

class Breach extends Error {}

class Yamux extends TypedEventEmitter<StreamMuxerEvents<YamuxStream>> implements StreamMuxer<YamuxStream> {
  readonly protocol = yamuxProtocol;
  status: StreamMuxerStatus = 'open';
  readonly #connection: MessageStream;
  readonly #pipe: Pipe;
  readonly #streamsMax: number;
  readonly #dials: boolean;
  readonly #streams = new Map<number, YamuxStream>();
  #early: YamuxStream[] = [];
  #inbound = 0;
  #nextId: number;
  #remoteEnded = false;
  /** A head that came in pieces. */
  readonly #head = new Uint8Array(headBytes);
  #headHas = 0;
  /** The data frame that is being read. */
  #bodyLeft = 0;
  #bodyFlags = 0;
  #bodyOf: YamuxStream | undefined;

  constructor(connection: MessageStream, streamsMax: number) {
    super();
    this.#connection = connection;
    this.#streamsMax = streamsMax;
    this.#dials = connection.direction === 'outbound';
    this.#nextId = this.#dials ? 1 : 2;
    connection.addEventListener('close', () => this.#ended());
    this.#pipe = openPipe(connection, {
      onBytes: (bytes) => this.#onBytes(bytes),
      onDrain: () => {
        for (const stream of [...this.#streams.values()]) stream.onRoom();
      },
    });
  }

  get streams(): YamuxStream[] {
    return [...this.#streams.values()];
  }

  async createStream(_options?: CreateStreamOptions): Promise<YamuxStream> {
    if (this.status !== 'open' || this.#remoteEnded) throw new MuxerClosedError('the connection is ending');
    if (this.#streams.size - this.#inbound >= this.#streamsMax)
      throw new TooManyOutboundProtocolStreamsError(`more than ${this.#streamsMax} streams`);
    const stream = this.#add(this.#nextId, 'outbound');
    this.#nextId += 2;
    stream.open(synFlag);
    return stream;
  }

  async close(options?: { signal?: AbortSignal }): Promise<void> {
    if (this.status !== 'open') return;
    this.status = 'closing';
    await Promise.all(this.streams.map((stream) => stream.close(options)));
    this.#end(normalEnd);
  }

  abort(error: Error): void {
    if (this.status === 'closed') return;
    this.status = 'closing';
    for (const stream of this.streams) stream.abort(error);
    this.#end(error instanceof Breach ? protocolError : internalError);
  }

  override addEventListener<K extends keyof StreamMuxerEvents<YamuxStream>>(
    type: K,
    listener: EventHandler<StreamMuxerEvents<YamuxStream>[K]> | null,
    options?: boolean | AddEventListenerOptions,
  ): void {
    super.addEventListener(type, listener, options);
    if (type !== 'stream' || this.#early.length === 0) return;
    queueMicrotask(() => {
      const early = this.#early;
      this.#early = [];
      for (const stream of early) this.safeDispatchEvent('stream', { detail: stream });
    });
  }

  #end(reason: number): void {
    this.status = 'closed';
    this.#pipe.write(lone(goAwayType, 0, 0, reason));
  }

  #ended(): void {
    if (this.status === 'closed') return;
    this.status = 'closing';
    for (const stream of this.streams) stream.onTransportClosed();
    this.status = 'closed';
  }

  #add(id: number, direction: 'inbound' | 'outbound'): YamuxStream {
    const stream = new YamuxStream(id, direction, {
      log: this.#connection.log,
      pipe: this.#pipe,
      onEnded: () => {
        if (this.#streams.delete(id) && direction === 'inbound') this.#inbound--;
      },
    });
    this.#streams.set(id, stream);
    if (direction === 'inbound') this.#inbound++;
    return stream;
  }

  #onBytes(bytes: Uint8Array): void {
    if (this.status === 'closed') return;
    try {
      this.#read(bytes);
    } catch (error) {
      const why = error instanceof Error ? error : new Error(String(error));
      this.abort(why);
      this.#connection.abort(why);
    }
  }

  #read(bytes: Uint8Array): void {
    let offset = 0;
    while (offset < bytes.length && this.status !== 'closed') {
      if (this.#bodyLeft > 0) {
        const end = Math.min(bytes.length, offset + this.#bodyLeft);
        const piece = offset === 0 && end === bytes.length ? bytes : bytes.subarray(offset, end);
        this.#bodyLeft -= piece.length;
        offset = end;
        this.#bodyOf?.onBytes(piece);
        if (this.#bodyLeft === 0) this.#onBodyEnd();
      } else if (this.#headHas === 0 && bytes.length - offset >= headBytes) {
        this.#onHead(bytes, offset);
        offset += headBytes;
      } else {
        const end = Math.min(bytes.length, offset + headBytes - this.#headHas);
        this.#head.set(bytes.subarray(offset, end), this.#headHas);
        this.#headHas += end - offset;
        offset = end;
        if (this.#headHas < headBytes) return;
        this.#headHas = 0;
        this.#onHead(this.#head, 0);
      }
    }
  }

  #onHead(bytes: Uint8Array, at: number): void {
    const type = bytes[at + 1];
    const flags = readU16(bytes, at + 2);
    const id = readU32(bytes, at + 4);
    const length = readU32(bytes, at + 8);
    if (bytes[at] !== 0) throw new Breach('another version of yamux');
    if (type === dataType || type === windowType) {
      if (id === 0) throw new Breach('data for no stream');
      if ((flags & synFlag) !== 0) this.#onOpen(id);
      const stream = this.#streams.get(id);
      if (type === dataType) this.#onData(stream, flags, length);
      else if (stream !== undefined) {
        if (length > 0) stream.onGrant(length);
        stream.onFlags(flags);
      }
    } else if (id !== 0) throw new Breach('a frame of the connection for a stream');
    else if (type === pingType) this.#onPing(flags, length);
    else if (type === goAwayType) this.#onGoAway(length);
    else throw new Breach('a frame of unknown type');
  }

  #onData(stream: YamuxStream | undefined, flags: number, length: number): void {
    // What is under way to a stream that has just been ended is skipped; more than that nobody has leave to send.
    if (length > (stream?.receivable ?? receiveWindowBytes)) throw new Breach('more data than granted');
    this.#bodyOf = stream;
    this.#bodyFlags = flags;
    this.#bodyLeft = length;
    if (length === 0) this.#onBodyEnd();
    else stream?.onBegin(length);
  }

  #onBodyEnd(): void {
    const stream = this.#bodyOf;
    this.#bodyOf = undefined;
    stream?.onFlags(this.#bodyFlags);
  }

  #onOpen(id: number): void {
    if (this.#dials !== (id % 2 === 0)) throw new Breach('a stream id of ours');
    if (this.#streams.has(id)) return;
    if (this.status !== 'open' || this.#inbound >= this.#streamsMax) {
      this.#control(lone(windowType, rstFlag, id, 0));
      return;
    }
    const stream = this.#add(id, 'inbound');
    stream.open(ackFlag);
    if (this.listenerCount('stream') > 0) this.safeDispatchEvent('stream', { detail: stream });
    else if (this.#early.push(stream) > earlyStreamsMax) throw new Breach('too many streams at once');
  }

  #onPing(flags: number, value: number): void {
    if ((flags & synFlag) !== 0) this.#control(lone(pingType, ackFlag, 0, value));
    // We send none (lanes have pings of their own), so nothing can be an answer.
    else throw new Breach('an answer to no ping');
  }

  #onGoAway(reason: number): void {
    this.#remoteEnded = true;
    if (reason === normalEnd) this.#ended();
    else this.abort(new Error('the peer has ended the connection'));
  }

  /** An answer that a peer may do without; one that does not read gets none, so that its questions cost no memory. */
  #control(frame: Uint8Array): void {
    if (this.#pipe.pendingBytes() > pendingBytesMax) throw new Breach('the peer does not read');
    if (!this.#pipe.full()) this.#pipe.write(frame);
  }
}

function readU16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) + (bytes[at + 1] ?? 0);
}

function readU32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0
  );
}
