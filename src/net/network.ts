import type { Connection } from '@libp2p/interface';
import { WeftError } from '../codec/error.ts';
import { publicKeyOf } from '../crypto/ed25519.ts';
import { Gossip, type GossipService, gossipService, newGossipCounters } from './gossip.ts';
import { Host } from './host.ts';
import { Exchange } from './lanes/exchange.ts';
import {
  answerKind,
  decodePing,
  encodePing,
  ownerKindMax,
  pingKind,
  relayedKind,
  relayKind,
  requestKind,
} from './lanes/frame.ts';
import { type LaneCounters, LaneLink } from './lanes/link.ts';
import { PeerLanes } from './lanes/peerLanes.ts';
import { Presence } from './lanes/presence.ts';
import { Relay } from './lanes/relay.ts';
import { checkLimits, checkTimings } from './limits.ts';
import { PeerSet, samePeer } from './peers.ts';
import type {
  CreateNetwork,
  FrameKind,
  FrameVerdict,
  GossipTopic,
  GossipVerdict,
  Lane,
  LaneStats,
  Network,
  NetworkLimits,
  NetworkModules,
  NetworkOptions,
  NetworkPeer,
  NetworkStats,
  NetworkTimings,
  RelayVerdict,
  Role,
  SendHint,
} from './types.ts';
import type { DirectStream } from './yamux/stream.ts';

/** Starts the network. See `CreateNetwork` for the errors. */
export const createNetwork: CreateNetwork = async (options, modules) => {
  const network = new LaneNetwork(options, modules);
  await network.start();
  return network;
};

/** A relayed message costs a signature check that the sender does not pay for. */
const relayCost = 4;

/** How long a close waits for libp2p to say goodbye; a graceful stop of the whole node must take under 2 s. */
const closeMs = 1500;

class LaneNetwork implements Network {
  readonly name: string;
  readonly #options: NetworkOptions;
  readonly #modules: NetworkModules;
  readonly #limits: NetworkLimits;
  readonly #timings: NetworkTimings;
  readonly #ownKey: Uint8Array;
  readonly #presence: Presence;
  readonly #exchange: Exchange;
  readonly #relay: Relay;
  readonly #lanes = new Map<string, PeerLanes>();
  /** Peers told as up, with the link that made them so. */
  readonly #up = new Map<string, LaneLink>();
  readonly #heardAtMs = new Map<string, number>();
  readonly #counters: Readonly<Record<Lane, LaneCounters>> = { urgent: newLaneCounters(), bulk: newLaneCounters() };
  readonly #gossipService: GossipService;
  readonly #gossipCounters = newGossipCounters();
  #unreachable = 0;
  #strangers = 0;
  #handlerErrors = 0;
  #role: Role;
  #peers: PeerSet;
  #host: Host | undefined;
  #gossip: Gossip | undefined;
  #ticker: NodeJS.Timeout | undefined;
  #ticks = 0;
  #tickedMs = 0;
  #closing: Promise<void> | undefined;

  constructor(options: NetworkOptions, modules: NetworkModules) {
    if (options.peerSeed.length !== 32) {
      throw new WeftError('NET_OPTIONS_INVALID', 'network option refused: peerSeed must have 32 bytes');
    }
    this.name = options.name;
    this.#options = options;
    this.#modules = modules;
    this.#limits = checkLimits(options.limits);
    this.#timings = checkTimings(options.timings);
    this.#role = options.role;
    this.#ownKey = publicKeyOf(options.peerSeed);
    this.#peers = new PeerSet({ name: this.name, role: this.#role, peerKey: this.#ownKey }, options.peers);
    this.#gossipService = gossipService(options.chain, this.#limits);
    this.#presence = new Presence(this.#timings.relayAfterMs);
    this.#exchange = new Exchange(this.#limits, {
      bulk: (peer) => this.#lanes.get(peer)?.open('bulk'),
      serve: (peer, kind, payload) => modules.handlers.onRequest(peer, kind, payload),
      onServeFailed: (error) => this.#failed('onRequest', error),
    });
    this.#relay = new Relay(
      { name: this.name, memory: this.#limits.relayMemory, onceMs: this.#timings.relayOnceMs },
      {
        presence: this.#presence,
        nowMs: now,
        validators: () => this.#peers.validators().length + (this.#role === 'validator' ? 1 : 0),
        isValidator: (peer) => this.#peers.named(peer)?.role === 'validator',
        urgent: (peer) => this.#lanes.get(peer)?.open('urgent'),
        verify: (kind, payload) =>
          this.#guard<RelayVerdict>('verifyRelayed', () => modules.handlers.verifyRelayed(kind, payload), 'unknown'),
        deliver: (link, signer, kind, payload) => {
          if (signer !== undefined && this.#presence.indirect(signer, now())) this.#tellHeard(signer);
          return this.#deliver(link, signer ?? link.peer, true, kind, payload);
        },
      },
    );
  }

  async start(): Promise<void> {
    const { chain, peerSeed, listen } = this.#options;
    const host = await Host.start(
      { chain, peerSeed, listen, dialTimeoutMs: this.#timings.dialTimeoutMs },
      {
        gossip: this.#gossipService,
        permits: (peerId, direction) => this.#permits(peerId, direction),
        onLaneStream: (lane, stream, connection) => this.#onLaneStream(lane, stream, connection),
      },
    );
    this.#host = host;
    this.#gossip = new Gossip(chain, this.#limits, {
      pubsub: host.gossip,
      counters: this.#gossipCounters,
      nowMs: now,
      nameOf: (peer) => this.#peers.withId(peer.toString())?.name,
      judge: (topic, data, from) => this.#judge(topic, data, from),
    });
    this.#gossip.start();
    this.#applyPeers();
    this.#ticker = setInterval(() => this.#tick(), this.#timings.pingMs);
  }

  get peerId(): string {
    return this.#host?.peerId ?? '';
  }

  addresses(): readonly string[] {
    return this.#host?.addresses() ?? [];
  }

  send(peer: string, lane: Lane, kind: FrameKind, payload: Uint8Array, hint: SendHint = {}): boolean {
    const known = this.#peers.named(peer);
    if (known === undefined || this.#closing !== undefined || !(kind >= 0 && kind <= ownerKindMax)) {
      this.#unreachable++;
      return false;
    }
    const small = payload.length <= this.#limits.framePayloadBytesMax;
    // Between an observer and a validator there is only the bulk lane.
    const through = small && known.lanes.includes(lane) ? lane : 'bulk';
    const direct = this.#lanes.get(peer)?.open(through)?.send(kind, payload, hint) ?? false;
    const relays = small && known.role === 'validator' ? this.#relay.send(peer, kind, payload, hint) : 0;
    if (direct || relays > 0) return true;
    this.#unreachable++;
    return false;
  }

  broadcast(lane: Lane, kind: FrameKind, payload: Uint8Array, hint: SendHint = {}): void {
    for (const peer of this.#peers.all())
      if (peer.role === 'validator') this.send(peer.name, lane, kind, payload, hint);
  }

  request(
    peer: string,
    kind: FrameKind,
    payload: Uint8Array,
    options: { readonly timeoutMs: number },
  ): Promise<Uint8Array | undefined> {
    return this.#exchange.ask(peer, kind, payload, options.timeoutMs);
  }

  connected(peer: string): boolean {
    return this.#up.has(peer);
  }

  askable(): readonly string[] {
    const names: string[] = [];
    for (const [name, lanes] of this.#lanes) if (lanes.open('bulk') !== undefined) names.push(name);
    return names;
  }

  heardMs(validator: string, directly?: 'directly'): number {
    return validator === this.name ? 0 : this.#presence.heardMs(validator, now(), directly);
  }

  async publish(topic: GossipTopic, data: Uint8Array, only?: 'where lanes do not reach'): Promise<number> {
    if (only !== undefined && this.#reachesAll()) return 0;
    return this.#closing === undefined && this.#gossip !== undefined ? this.#gossip.publish(topic, data) : 0;
  }

  setPeers(peers: readonly NetworkPeer[], ownRole: Role = this.#role): void {
    this.#peers = new PeerSet({ name: this.name, role: ownRole, peerKey: this.#ownKey }, peers);
    this.#role = ownRole;
    if (this.#closing === undefined) this.#applyPeers();
  }

  stats(): NetworkStats {
    const lane = (which: Lane): LaneStats => {
      let lanes = 0;
      let queuedMessages = 0;
      let queuedBytes = 0;
      for (const peer of this.#lanes.values()) {
        const link = peer.open(which);
        if (link === undefined) continue;
        lanes++;
        queuedMessages += link.queuedMessages;
        queuedBytes += link.queuedBytes;
      }
      return { ...this.#counters[which], lanes, queuedMessages, queuedBytes };
    };
    return {
      urgent: lane('urgent'),
      bulk: lane('bulk'),
      relay: this.#relay.stats(),
      requests: this.#exchange.stats(),
      gossip: { ...this.#gossipCounters, peers: this.#gossip?.peers ?? 0 },
      unreachable: this.#unreachable,
      strangers: this.#strangers,
      handlerErrors: this.#handlerErrors,
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearInterval(this.#ticker);
    this.#exchange.close();
    for (const lanes of this.#lanes.values()) lanes.stop('network closed');
    this.#lanes.clear();
    this.#up.clear();
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, closeMs);
    const stopped = this.#host?.stop().catch((error: unknown) => this.#log('stop of libp2p failed', error));
    await Promise.race([stopped, late]);
    clearTimeout(timer);
  }

  /** Every permitted peer is a validator whom the urgent lane reaches. */
  #reachesAll(): boolean {
    const nowMs = now();
    for (const { name, role } of this.#peers.all()) {
      if (role !== 'validator' || !this.#presence.alive(name, nowMs)) return false;
      if (this.#lanes.get(name)?.open('urgent') === undefined) return false;
    }
    return this.#role === 'validator';
  }

  #permits(peerId: string, direction: 'inbound' | 'outbound'): boolean {
    const peer = this.#peers.withId(peerId);
    if (peer === undefined || peer.lanes.length === 0) {
      this.#strangers++;
      return false;
    }
    // Inbound is decided by the lanes: a connection on which none is opened is swept away.
    return this.#closing === undefined && (direction === 'inbound' || peer.dials !== 'theirs');
  }

  #applyPeers(): void {
    const nowMs = now();
    for (const [name, lanes] of this.#lanes) {
      const peer = this.#peers.named(name);
      if (peer !== undefined && samePeer(peer, lanes.peer)) {
        lanes.peer = peer;
        continue;
      }
      this.#lanes.delete(name);
      lanes.stop('no longer permitted');
      this.#host?.drop(lanes.peer.peerId);
    }
    this.#presence.watch(
      this.#peers.validators().map((peer) => peer.name),
      nowMs,
    );
    for (const name of this.#heardAtMs.keys()) if (this.#peers.named(name) === undefined) this.#heardAtMs.delete(name);
    this.#gossip?.keep(new Set([...this.#peers.all()].map((peer) => peer.name)));
    for (const peer of this.#peers.all()) {
      if (peer.lanes.length === 0 || this.#lanes.has(peer.name)) continue;
      const lanes = new PeerLanes(
        peer,
        { limits: this.#limits, timings: this.#timings },
        {
          log: this.#modules.log,
          nowMs: now,
          dial: (target, lane) =>
            this.#host?.dial(target, lane) ?? Promise.reject(new WeftError('NET_CLOSED', 'the network is not started')),
          makeLink: (owner, lane, stream, connection) => this.#makeLink(owner, lane, stream, connection),
        },
      );
      this.#lanes.set(peer.name, lanes);
      lanes.start();
    }
  }

  #onLaneStream(lane: Lane, stream: DirectStream, connection: Connection): void {
    const peer = this.#peers.withId(connection.remotePeer.toString());
    const lanes = peer === undefined ? undefined : this.#lanes.get(peer.name);
    if (lanes === undefined || this.#closing !== undefined) connection.abort(new Error('not permitted'));
    else lanes.accept(lane, stream, connection);
  }

  #makeLink(lanes: PeerLanes, lane: Lane, stream: DirectStream, connection: Connection): LaneLink {
    const { name } = lanes.peer;
    // On every lane: a peer that is an epoch apart may take another one for the primary lane of the pair.
    let hello = this.#guard('hello', () => this.#modules.handlers.hello(name), new Uint8Array(0));
    if (hello.length > this.#limits.helloBytesMax) {
      this.#handlerErrors++;
      hello = new Uint8Array(0);
    }
    return new LaneLink(
      { peer: name, lane, limits: this.#limits, hello },
      {
        stream,
        connection,
        nowMs: now,
        counters: this.#counters[lane],
        onOpen: (link, theirs) => this.#onOpen(lanes, link, theirs),
        onMessage: (link, kind, payload) => this.#onMessage(lanes, link, kind, payload),
        onClosed: (link, reason, misbehaved) => this.#onClosed(lanes, link, reason, misbehaved),
      },
    );
  }

  #onOpen(lanes: PeerLanes, link: LaneLink, hello: Uint8Array): boolean {
    const { log, handlers } = this.#modules;
    log.debug({ peer: link.peer, lane: link.lane, encryption: link.connection.encryption }, 'lane open');
    this.#heard(link.peer);
    if (link.lane === 'bulk') this.#gossipService.meet(link.connection);
    if (lanes.peer.primary !== link.lane) return true;
    this.#up.set(link.peer, link);
    this.#guard('onUp', () => handlers.onUp?.(link.peer), undefined);
    return this.#guard<FrameVerdict>('onHello', () => handlers.onHello(link.peer, hello), undefined) !== 'invalid';
  }

  #onClosed(lanes: PeerLanes, link: LaneLink, reason: string, misbehaved: boolean): void {
    const { log, handlers } = this.#modules;
    const details = { peer: link.peer, lane: link.lane, reason };
    if (misbehaved) log.warn(details, 'lane closed: the peer sent what no honest node sends');
    else log.debug(details, 'lane closed');
    lanes.ended(link, misbehaved);
    if (link.lane === 'bulk' && lanes.open('bulk') === undefined) {
      this.#exchange.lost(link.peer);
      this.#gossipService.part(link.connection.remotePeer);
    }
    if (this.#up.get(link.peer) !== link) return;
    this.#up.delete(link.peer);
    this.#guard('onDown', () => handlers.onDown?.(link.peer), undefined);
  }

  /** False = no honest node sends this. */
  #onMessage(lanes: PeerLanes, link: LaneLink, kind: number, payload: Uint8Array): boolean {
    this.#heard(link.peer);
    if (kind === answerKind) return this.#onAnswer(lanes, link, payload);
    const cost = kind === relayKind || kind === relayedKind ? relayCost : 1;
    if (!lanes.take(link.lane, cost)) {
      this.#counters[link.lane].budgetDropped++;
      if (kind === requestKind) this.#exchange.refuse(link.peer, payload);
      return true;
    }
    if (kind <= ownerKindMax) return this.#deliver(link, link.peer, false, kind, payload);
    if (kind === pingKind) return this.#onPing(link, payload);
    if (kind === requestKind && link.lane === 'bulk') return this.#exchange.onRequest(link.peer, payload);
    if (kind === relayKind && link.lane === 'urgent') return this.#relay.onRelay(link, payload);
    if (kind === relayedKind && link.lane === 'urgent') return this.#relay.onRelayed(link, payload);
    return false;
  }

  #deliver(link: LaneLink, signer: string, relayed: boolean, kind: number, payload: Uint8Array): boolean {
    const frame = { peer: link.peer, signer, relayed, lane: link.lane, kind, payload };
    try {
      return this.#modules.handlers.onFrame(frame) !== 'invalid';
    } catch (error) {
      this.#failed('onFrame', error);
      return true;
    }
  }

  #onPing(link: LaneLink, payload: Uint8Array): boolean {
    const names = decodePing(payload);
    if (names === undefined || (link.lane === 'bulk' && names.length > 0)) return false;
    for (const name of this.#presence.listed(link.peer, names, now())) this.#tellHeard(name);
    return true;
  }

  #onAnswer(lanes: PeerLanes, link: LaneLink, payload: Uint8Array): boolean {
    if (link.lane !== 'bulk') return false;
    const fate = this.#exchange.onAnswer(link.peer, payload);
    // A late answer is no fault of the peer's; but a flood of them costs budget.
    if (fate === 'late' && !lanes.take('bulk', 1)) this.#counters.bulk.budgetDropped++;
    return fate !== 'malformed';
  }

  async #judge(topic: GossipTopic, data: Uint8Array, from: string): Promise<GossipVerdict> {
    try {
      return this.#closing === undefined ? await this.#modules.handlers.onGossip(topic, data, from) : 'ignore';
    } catch (error) {
      this.#failed('onGossip', error);
      return 'ignore';
    }
  }

  #heard(peer: string): void {
    const nowMs = now();
    this.#presence.direct(peer, nowMs);
    this.#tellHeard(peer, nowMs);
  }

  #tellHeard(name: string, nowMs: number = now()): void {
    if (nowMs - (this.#heardAtMs.get(name) ?? Number.NEGATIVE_INFINITY) < this.#timings.pingMs / 2) return;
    if (this.#modules.handlers.onHeard === undefined || this.#peers.named(name)?.role !== 'validator') return;
    this.#heardAtMs.set(name, nowMs);
    this.#guard('onHeard', () => this.#modules.handlers.onHeard?.(name), undefined);
  }

  #tick(): void {
    this.#ticks++;
    const { pingMs, bulkPingMs, urgentSilentMs, bulkSilentMs, dialTimeoutMs } = this.#timings;
    const bulkTurn = this.#ticks % Math.max(1, Math.round(bulkPingMs / pingMs)) === 0;
    const alive = encodePing(this.#presence.heardDirectly(now()));
    const nothing = encodePing([]);
    const carrying = new Set<Connection>();
    // After a stall of our own the bytes that came meanwhile are still unread: the silence is ours.
    const stalled = now() - this.#tickedMs > 2 * pingMs;
    this.#tickedMs = now();
    for (const lanes of this.#lanes.values()) {
      for (const link of lanes.links()) {
        carrying.add(link.connection);
        const silentMaxMs = link.lane === 'urgent' ? urgentSilentMs : bulkSilentMs;
        if (!link.isOpen && now() - link.openedMs > dialTimeoutMs) link.close('no preface came');
        else if (link.isOpen && !stalled && link.silentMs() > silentMaxMs) link.close('silent for too long');
        else {
          link.nudge();
          if (link.lane === 'urgent') link.ping(alive);
          else if (bulkTurn) link.ping(nothing);
        }
      }
    }
    if (bulkTurn) this.#host?.sweep((connection) => carrying.has(connection));
  }

  /** Calls the owner. What it throws is a defect of the owner's, which must not take the lane with it. */
  #guard<T>(what: string, call: () => T, fallback: T): T {
    try {
      return call();
    } catch (error) {
      this.#failed(what, error);
      return fallback;
    }
  }

  #failed(what: string, error: unknown): void {
    this.#handlerErrors++;
    this.#log(`handler ${what} threw`, error);
  }

  #log(message: string, error: unknown): void {
    this.#modules.log.warn({ reason: error instanceof Error ? error.message : String(error) }, message);
  }
}

function newLaneCounters(): LaneCounters {
  return {
    bytesIn: 0,
    bytesOut: 0,
    messagesIn: 0,
    messagesOut: 0,
    overflowDropped: 0,
    budgetDropped: 0,
    misbehaved: 0,
  };
}

function now(): number {
  return performance.now();
}
