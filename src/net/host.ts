import { noise } from '@chainsafe/libp2p-noise';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import type { GossipSub } from '@libp2p/gossipsub';
import { type Identify, identify } from '@libp2p/identify';
import type { Connection, Libp2p, PeerId, Stream } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';

import type { Multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { WeftError } from '../codec/error.ts';
import { socketTls } from './encryption.ts';
import type { GossipService } from './gossip.ts';

import type { KnownPeer } from './peers.ts';
import type { Lane } from './types.ts';
import { weftYamux } from './yamux/muxer.ts';
import { type DirectStream, YamuxStream } from './yamux/stream.ts';

/** libp2p, reduced to what the lanes and gossip need. Nothing else of the network touches it. */
export type HostOptions = {
  readonly chain: string;
  readonly peerSeed: Uint8Array;
  readonly listen: readonly string[];
  readonly dialTimeoutMs: number;
};

export type HostModules = {
  /** The gater: may a connection in this direction exist with this peer? Asked again for every connection. */
  readonly permits: (peerId: string, direction: 'inbound' | 'outbound') => boolean;
  readonly onLaneStream: (lane: Lane, stream: DirectStream, connection: Connection) => void;
  readonly gossip: GossipService;
};

type Services = { readonly identify: Identify; readonly gossip: GossipSub };

/** Connections of one peer that carry no lane, and how long they may: longer than any handshake takes. */
const idleConnectionMs = 10_000;
const connectionsPerPeerMax = 6;

export function laneProtocol(chain: string, lane: Lane): string {
  return `/weft/${chain}/${lane}/1`;
}

export class Host {
  readonly #libp2p: Libp2p<Services>;
  readonly #options: HostOptions;
  readonly #stopping = new AbortController();

  private constructor(libp2p: Libp2p<Services>, options: HostOptions) {
    this.#libp2p = libp2p;
    this.#options = options;
  }

  /** @throws WeftError NET_LISTEN_FAILED */
  static async start(options: HostOptions, modules: HostModules): Promise<Host> {
    const denies = (direction: 'inbound' | 'outbound') => (peer: PeerId) =>
      !modules.permits(peer.toString(), direction);
    const libp2p = await createLibp2p<Services>({
      privateKey: await generateKeyPairFromSeed('Ed25519', options.peerSeed),
      start: false,
      addresses: { listen: [...options.listen] },
      transports: [tcp({ dialOpts: { noDelay: true }, listenOpts: { noDelay: true } })],
      connectionEncrypters: [socketTls(), noise()],
      streamMuxers: [weftYamux(32)],
      connectionGater: {
        denyDialPeer: denies('outbound'),
        denyDialMultiaddr: () => false,
        denyOutboundEncryptedConnection: denies('outbound'),
        denyInboundEncryptedConnection: denies('inbound'),
      },
      connectionManager: {
        // Every permitted peer may come at once after a restart, and on one machine they share an address.
        maxConnections: 4096,
        maxIncomingPendingConnections: 512,
        inboundConnectionThreshold: 512,
        maxParallelDials: 128,
        dialTimeout: options.dialTimeoutMs,
        resolvers: {},
      },
      // Lanes have their own pings.
      connectionMonitor: { enabled: false },
      nodeInfo: { userAgent: 'weft' },
      services: {
        // Gossipsub demands that it is there; it is never run: the lanes tell gossip of its neighbours.
        identify: identify({ runOnConnectionOpen: false, protocolPrefix: 'weft', timeout: options.dialTimeoutMs }),
        gossip: modules.gossip.factory,
      },
    });
    const host = new Host(libp2p, options);
    libp2p.addEventListener('peer:disconnect', (event) => modules.gossip.part(event.detail));
    libp2p.addEventListener('connection:open', (event) => host.#bound(event.detail));
    for (const lane of ['urgent', 'bulk'] as const) {
      await libp2p.handle(
        laneProtocol(options.chain, lane),
        (stream, connection) => modules.onLaneStream(lane, direct(stream), connection),
        { maxInboundStreams: 2, maxOutboundStreams: 2 },
      );
    }
    try {
      await libp2p.start();
    } catch (error) {
      await libp2p.stop();
      const why = error instanceof Error ? error.message : String(error);
      throw new WeftError(
        'NET_LISTEN_FAILED',
        `cannot listen on ${options.listen.join(', ')}: ${why}; free or change the address`,
      );
    }
    return host;
  }

  get peerId(): string {
    return this.#libp2p.peerId.toString();
  }

  get gossip(): GossipSub {
    return this.#libp2p.services.gossip;
  }

  addresses(): string[] {
    return this.#libp2p.getMultiaddrs().map((address) => address.toString().replace(/\/p2p\/[^/]+$/, ''));
  }

  /**
   * A new connection with the lane's stream on it. Dials of one peer must not overlap: libp2p would join them into one
   * connection. Rejects when the peer cannot be reached, is somebody else, or refuses.
   * @throws WeftError NET_CUT: the connection was there and ended before it carried anything
   */
  async dial(peer: KnownPeer, lane: Lane): Promise<{ stream: DirectStream; connection: Connection }> {
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(this.#options.dialTimeoutMs)]);
    const connection = await this.#libp2p.dial([...peer.addresses] as Multiaddr[], { force: true, signal });
    try {
      const protocol = laneProtocol(this.#options.chain, lane);
      const stream = await connection.newStream(protocol, { signal, maxOutboundStreams: 2 });
      return { stream: direct(stream), connection };
    } catch (error) {
      connection.abort(error instanceof Error ? error : new Error('no stream'));
      const why = error instanceof Error ? error.message : String(error);
      throw new WeftError('NET_CUT', `the peer ended the connection at once: ${why}`);
    }
  }

  /** Cuts all connections with a peer, gossip included. */
  drop(peerId: PeerId): void {
    for (const connection of this.#libp2p.getConnections(peerId)) connection.abort(new Error('no longer permitted'));
  }

  /** Cuts connections on which nobody opened a lane in time. */
  sweep(carriesLane: (connection: Connection) => boolean): void {
    for (const connection of this.#libp2p.getConnections()) {
      const ageMs = Date.now() - connection.timeline.open;
      if (ageMs > idleConnectionMs && !carriesLane(connection)) connection.abort(new Error('carries no lane'));
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#libp2p.stop();
  }

  #bound(connection: Connection): void {
    const all = this.#libp2p.getConnections(connection.remotePeer);
    for (const oldest of all.slice(0, Math.max(0, all.length - connectionsPerPeerMax))) {
      oldest.abort(new Error('too many connections'));
    }
  }
}

/** Every stream is our muxer's; this only says so to the compiler. */
function direct(stream: Stream): DirectStream {
  if (stream instanceof YamuxStream) return stream;
  throw new WeftError('NET_CUT', 'a stream of another muxer');
}
