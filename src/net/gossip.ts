import {
  type GossipSub,
  type GossipSubComponents,
  gossipsub,
  StrictNoSign,
  TopicValidatorResult,
} from '@libp2p/gossipsub';
import { createPeerScoreParams, createTopicScoreParams } from '@libp2p/gossipsub/score';
import type { Connection, PeerId, Stream, StreamHandler, StreamHandlerOptions, Topology } from '@libp2p/interface';
import { concat, encodeUtf8 } from '../codec/utf8.ts';
import { sha256 } from '../crypto/hash.ts';
import { Budget } from './lanes/pace.ts';
import type { GossipTopic, GossipVerdict, NetworkLimits } from './types.ts';
import { wholeMessages } from './wholeMessages.ts';

/**
 * Gossip: how everybody without a lane is reached, and the way round when links are cut. Messages carry no author
 * (StrictNoSign: what they hold is signed itself); the id is the hash of topic and content, so that nobody can spoil a
 * message by showing its bytes under another topic first. Each is judged by the owner before it is forwarded.
 */
const topics: readonly GossipTopic[] = ['headers', 'checkpoints', 'evidence', 'transactions'];

/** What a neighbour may say at once: many messages, where it is asked for many. */
const rpcBytesMax = 4 * 1024 * 1024;

/** How long gossipsub remembers an id: the same bytes published again within it go nowhere. */
const seenMs = 60_000;

export type GossipCounters = {
  published: number;
  accepted: number;
  ignored: number;
  rejected: number;
  overloaded: number;
};

export function newGossipCounters(): GossipCounters {
  return { published: 0, accepted: 0, ignored: 0, rejected: 0, overloaded: 0 };
}

function topicName(chain: string, topic: GossipTopic): string {
  return `/weft/${chain}/${topic}`;
}

/**
 * The libp2p service for the host, and the two calls by which the lanes tell it of neighbours: gossip lives and dies with
 * the bulk lane. Left to itself gossipsub attaches to whichever connection is identified first (which may be the urgent
 * one), learns of a loss only when the last connection to the peer is gone, and can keep a dead stream for ever when a
 * connection ends while it opens one: then nothing is published to that peer any more.
 */
export type GossipService = {
  readonly factory: (components: GossipSubComponents) => GossipSub;
  meet(connection: Connection): void;
  part(peer: PeerId): void;
};

export function gossipService(chain: string, limits: NetworkLimits): GossipService {
  const create = createFactory(chain, limits);
  let topology: Topology | undefined;
  return {
    factory: (components) =>
      create({
        privateKey: components.privateKey,
        peerId: components.peerId,
        peerStore: components.peerStore,
        connectionManager: components.connectionManager,
        logger: components.logger,
        registrar: new Proxy(components.registrar, {
          get: (registrar, name) => {
            if (name === 'register') {
              return async (_protocol: string, given: Topology) => {
                topology = given;
                return 'lanes';
              };
            }
            if (name === 'unregister') return () => {};
            if (name === 'handle') {
              return (protocol: string, handler: StreamHandler, given?: StreamHandlerOptions) =>
                registrar.handle(protocol, (stream, connection) => handler(gathered(stream), connection), given);
            }
            const value: unknown = Reflect.get(registrar, name, registrar);
            return typeof value === 'function' ? value.bind(registrar) : value;
          },
        }),
      }),
    meet: (connection) => {
      // Met, parted, met: the parting clears whatever an earlier connection left behind, and takes effect only for
      // somebody who has been met.
      void topology?.onConnect?.(connection.remotePeer, connection);
      void topology?.onDisconnect?.(connection.remotePeer);
      void topology?.onConnect?.(connection.remotePeer, connection);
    },
    part: (peer) => void topology?.onDisconnect?.(peer),
  };
}

/** The stream, whose iteration brings whole messages: what makes them up is kept as bytes (wholeMessages.ts). */
function gathered(stream: Stream): Stream {
  const source = { [Symbol.asyncIterator]: stream[Symbol.asyncIterator].bind(stream) };
  return Object.assign(stream, { [Symbol.asyncIterator]: () => wholeMessages(source, rpcBytesMax) });
}

function createFactory(chain: string, limits: NetworkLimits): ReturnType<typeof gossipsub> {
  // Only what is invalid costs score: in a permissioned mesh silence is the business of the ledger's timeouts, and
  // several honest nodes may share an address.
  const topicScore = createTopicScoreParams({
    timeInMeshCap: 10,
    firstMessageDeliveriesCap: 20,
    meshMessageDeliveriesWeight: 0,
    meshFailurePenaltyWeight: 0,
    invalidMessageDeliveriesWeight: -10,
    invalidMessageDeliveriesDecay: 0.5,
  });
  const names = topics.map((topic) => topicName(chain, topic));
  return gossipsub({
    globalSignaturePolicy: StrictNoSign,
    msgIdFn: (message) => sha256(concat(encodeUtf8(message.topic), Uint8Array.of(0), message.data)),
    allowedTopics: names,
    fallbackToFloodsub: false,
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    floodPublish: true,
    emitSelf: false,
    doPX: false,
    tagMeshPeers: false,
    batchPublish: true,
    seenTTL: seenMs,
    D: 6,
    Dlo: 4,
    Dhi: 12,
    maxInboundStreams: 4,
    maxOutboundStreams: 4,
    maxOutboundBufferSize: 8 * 1024 * 1024,
    maxInboundDataLength: rpcBytesMax,
    maxTopicBytesPerPeer: 16 * 1024,
    decodeRpcLimits: {
      maxSubscriptions: 16,
      maxMessages: limits.gossipInFlightMax,
      maxIhaveMessageIDs: 2000,
      maxIwantMessageIDs: 2000,
      maxIdontwantMessageIDs: 512,
      maxControlMessages: 64,
      maxPeerInfos: 0,
    },
    scoreParams: createPeerScoreParams({
      IPColocationFactorWeight: 0,
      behaviourPenaltyWeight: -1,
      behaviourPenaltyThreshold: 6,
      behaviourPenaltyDecay: 0.8,
      retainScore: 10 * 60 * 1000,
      topics: Object.fromEntries(names.map((name) => [name, topicScore])),
    }),
  });
}

export type GossipModules = {
  readonly pubsub: GossipSub;
  readonly counters: GossipCounters;
  readonly nowMs: () => number;
  /** Name of a permitted peer; undefined = stranger. */
  readonly nameOf: (peer: PeerId) => string | undefined;
  /** Never throws, never rejects. */
  readonly judge: (topic: GossipTopic, data: Uint8Array, from: string) => Promise<GossipVerdict>;
};

export class Gossip {
  readonly #chain: string;
  readonly #limits: NetworkLimits;
  readonly #modules: GossipModules;
  readonly #budgets = new Map<string, Budget>();
  #inFlight = 0;

  constructor(chain: string, limits: NetworkLimits, modules: GossipModules) {
    this.#chain = chain;
    this.#limits = limits;
    this.#modules = modules;
  }

  /** Everybody subscribes to everything: validators read what observers send, observers what validators send. */
  start(): void {
    const { pubsub } = this.#modules;
    for (const topic of topics) {
      const name = topicName(this.#chain, topic);
      pubsub.topicValidators.set(name, (peer, message) => this.#validate(topic, peer, message.data));
      pubsub.subscribe(name);
    }
  }

  get peers(): number {
    return this.#modules.pubsub.getPeers().length;
  }

  /** Number of neighbours that it went to; 0 when too large, seen before, or nobody is there. Never rejects. */
  async publish(topic: GossipTopic, data: Uint8Array): Promise<number> {
    if (data.length === 0 || data.length > this.#limits.gossipBytesMax[topic]) return 0;
    try {
      const { recipients } = await this.#modules.pubsub.publish(topicName(this.#chain, topic), data);
      this.#modules.counters.published++;
      return recipients.length;
    } catch {
      return 0;
    }
  }

  /** Budgets of those who left are forgotten. */
  keep(names: ReadonlySet<string>): void {
    for (const name of this.#budgets.keys()) if (!names.has(name)) this.#budgets.delete(name);
  }

  async #validate(topic: GossipTopic, peer: PeerId, data: Uint8Array): Promise<TopicValidatorResult> {
    const { counters, nameOf, judge, nowMs } = this.#modules;
    const from = nameOf(peer);
    if (from === undefined || data.length === 0 || data.length > this.#limits.gossipBytesMax[topic]) {
      counters.rejected++;
      return TopicValidatorResult.Reject;
    }
    if (this.#inFlight >= this.#limits.gossipInFlightMax || !this.#budget(from).take(1, nowMs())) {
      counters.overloaded++;
      return TopicValidatorResult.Ignore;
    }
    this.#inFlight++;
    try {
      const verdict = await judge(topic, data, from);
      if (verdict === 'accept') {
        counters.accepted++;
        return TopicValidatorResult.Accept;
      }
      if (verdict === 'reject') {
        counters.rejected++;
        return TopicValidatorResult.Reject;
      }
      counters.ignored++;
      return TopicValidatorResult.Ignore;
    } finally {
      this.#inFlight--;
    }
  }

  #budget(from: string): Budget {
    let budget = this.#budgets.get(from);
    if (budget === undefined) {
      budget = new Budget(this.#limits.laneMessagesPerSecond, this.#limits.laneMessagesBurst, this.#modules.nowMs());
      this.#budgets.set(from, budget);
    }
    return budget;
  }
}
