import { yamux } from '@chainsafe/libp2p-yamux';
import type { StreamMuxerFactory } from '@libp2p/interface';

/**
 * Yamux that cannot bring the process down. As it comes, the muxer writes a new stream's first frame in a bare microtask;
 * if the connection has closed meanwhile the write throws where nobody can catch it, so that any peer that hangs up at
 * the right moment ends the process (same family: github.com/libp2p/js-libp2p issues 3415 and 3512). A frame for a
 * closed connection is lost anyway, and the connection's `close` event follows: the throw says nothing new.
 *
 * It also says less. As it comes, it answers every data frame with a window update, and a frame's head and body become two
 * TLS records and two writes: for the short messages of a vote round that was most of what the kernel had to do.
 */
export function safeYamux(streamsMax: number): () => StreamMuxerFactory {
  return () => {
    const factory = yamux({ maxInboundStreams: streamsMax, maxOutboundStreams: streamsMax })();
    return {
      protocol: factory.protocol,
      createStreamMuxer: (connection) => {
        const muxer = factory.createStreamMuxer(connection);
        sendWhole(muxer);
        return muxer;
      },
    };
  };
}

/** Frames shorter than this are copied into one piece; longer ones gain nothing. */
const wholeBytesMax = 8 * 1024;
/** Yamux grants 256 KiB at first and never less: as much as this may be used before the sender is told that it was read. */
const grantBytes = 64 * 1024;
/** Streams of one connection of which something is kept back; lanes have one or two. */
const streamsHeldMax = 64;
/** https://github.com/hashicorp/yamux/blob/master/spec.md: 12 bytes, big endian: version, type, flags, stream id, length. */
const headBytes = 12;
const windowUpdateType = 1;

type Muxer = ReturnType<ReturnType<ReturnType<typeof yamux>>['createStreamMuxer']>;

function sendWhole(muxer: Muxer): void {
  const send = muxer.send.bind(muxer);
  /** Stream id → bytes that were read and not granted again yet. */
  const held = new Map<number, number>();
  muxer.send = (data) => {
    const whole = data instanceof Uint8Array || data.byteLength > wholeBytesMax ? data : data.subarray();
    try {
      if (whole instanceof Uint8Array && whole.byteLength === headBytes) {
        const grant = grantOf(whole, held);
        return grant === undefined ? true : send(grant);
      }
      return send(whole);
    } catch {
      return true;
    }
  };
}

/** What to send instead of a lone head: a window update is kept back until it is worth a message. */
function grantOf(head: Uint8Array, held: Map<number, number>): Uint8Array | undefined {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (view.getUint8(1) !== windowUpdateType) return head;
  const stream = view.getUint32(4);
  if (view.getUint16(2) !== 0) {
    // Flags open, accept or end a stream: nothing of it is kept back before, nor of use afterwards.
    held.delete(stream);
    return head;
  }
  const granted = (held.get(stream) ?? 0) + view.getUint32(8);
  if (granted < grantBytes && (held.has(stream) || held.size < streamsHeldMax)) {
    held.set(stream, granted);
    return undefined;
  }
  held.delete(stream);
  view.setUint32(8, granted);
  return head;
}
