import type { MessageStream } from '@libp2p/interface';
import { takeSocket } from '../encryption.ts';

/**
 * What lies below the muxer: bytes out, bytes in. Neither call throws; that the connection has ended is told by its own
 * `close` event, and bytes for one that has ended are lost anyway.
 */
export type Pipe = {
  /** False = taken, but wait for `onDrain` before sending more than control frames. */
  readonly write: (bytes: Uint8Array) => boolean;
  readonly full: () => boolean;
  /** Bytes that were written and have not gone out yet. */
  readonly pendingBytes: () => number;
};

export type PipeEnds = { readonly onBytes: (bytes: Uint8Array) => void; readonly onDrain: () => void };

/** The socket itself where the encryption can give it away, else the stream as it comes (Noise, for example). */
export function openPipe(connection: MessageStream, ends: PipeEnds): Pipe {
  return socketPipe(connection, ends) ?? streamPipe(connection, ends);
}

function socketPipe(connection: MessageStream, { onBytes, onDrain }: PipeEnds): Pipe | undefined {
  const taken = takeSocket(connection);
  if (taken === undefined) return undefined;
  const { socket, early } = taken;
  // Whoever makes the pipe has it in hand before the first byte.
  queueMicrotask(() => {
    for (const bytes of early) onBytes(bytes);
    socket.on('data', onBytes);
    socket.on('drain', onDrain);
    socket.resume();
  });
  return {
    write: (bytes) => (socket.writable ? socket.write(bytes) : true),
    full: () => socket.writableNeedDrain,
    pendingBytes: () => socket.writableLength,
  };
}

function streamPipe(connection: MessageStream, { onBytes, onDrain }: PipeEnds): Pipe {
  connection.addEventListener('message', ({ data }) => onBytes(data instanceof Uint8Array ? data : data.subarray()));
  connection.addEventListener('drain', onDrain);
  return {
    write: (bytes) => {
      try {
        return connection.send(bytes);
      } catch {
        return true;
      }
    },
    full: () => connection.writableNeedsDrain,
    pendingBytes: () => connection.writeBufferLength,
  };
}
