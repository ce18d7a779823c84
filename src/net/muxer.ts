import { yamux } from '@chainsafe/libp2p-yamux';
import type { StreamMuxerFactory } from '@libp2p/interface';

/**
 * Yamux that cannot bring the process down. As it comes, the muxer writes a new stream's first frame in a bare microtask;
 * if the connection has closed meanwhile the write throws where nobody can catch it, so that any peer that hangs up at
 * the right moment ends the process (same family: github.com/libp2p/js-libp2p issues 3415 and 3512). A frame for a
 * closed connection is lost anyway, and the connection's `close` event follows: the throw says nothing new.
 */
export function safeYamux(streamsMax: number): () => StreamMuxerFactory {
  return () => {
    const factory = yamux({ maxInboundStreams: streamsMax, maxOutboundStreams: streamsMax })();
    return {
      protocol: factory.protocol,
      createStreamMuxer: (connection) => {
        const muxer = factory.createStreamMuxer(connection);
        const send = muxer.send.bind(muxer);
        muxer.send = (data) => {
          try {
            return send(data);
          } catch {
            return true;
          }
        };
        return muxer;
      },
    };
  };
}
