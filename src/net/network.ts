import type { Connection, Stream } from '@libp2p/interface';
import { WeftError } from '../codec/error.ts';
import { publicKeyOf } from '../crypto/ed25519.ts';
import { Gossip, gossipService, newGossipCounters } from './gossip.ts';
import { Host } from './host.ts';
import {
  absent,
  answered,
  answerKind,
  busy,
  decodeAnswer,
  decodePing,
  decodeRelay,
  decodeRelayed,
  decodeRequest,
  encodeAnswer,
  encodePing,
  encodeRelay,
  encodeRelayed,
  encodeRequest,
  ownerKindMax,
  pingKind,
  relayedKind,
  relayKind,
  requestKind,
} from './lanes/frame.ts';
import { type LaneCounters, LaneLink } from './lanes/link.ts';
import { PeerLanes } from './lanes/peerLanes.ts';
import { Presence } from './lanes/presence.ts';
import { RelayMemory } from './lanes/relayMemory.ts';
import { failure, Requests } from './lanes/requests.ts';
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
  Role,
  SendHint,
} from './types.ts';

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
  readonly #requests: Requests;
  readonly #relayMemory: RelayMemory;
  /** What we delivered to our owner out of relays: several relays bring the same message. */
  readonly #relayedMemory: RelayMemory;
  readonly #lanes = new Map<string, PeerLanes>();
  /** Peers told as up, with the link that made them so. */
  readonly #up = new Map<string, LaneLink>();
  readonly #heardAtMs = new Map<string, number>();
  readonly #counters: Readonly<Record<Lane, LaneCounters>> = { urgent: newLaneCounters(), bulk: newLaneCounters() };
  readonly #gossipCounters = newGossipCounters();
  readonly #relayed = { sent: 0, forwarded: 0, received: 0, refused: 0 };
  readonly #asked = { sent: 0, answered: 0, failed: 0, served: 0, busy: 0 };
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
  #relayTurn = 0;
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
    this.#presence = new Presence(this.#timings.relayAfterMs);
    this.#requests = new Requests(this.#limits.requestsInFlightMax);
    this.#relayMemory = new RelayMemory(this.#limits.relayMemory, this.#timings.relayOnceMs);
    this.#relayedMemory = new RelayMemory(this.#limits.relayMemory, this.#timings.relayOnceMs);
  }

  async start(): Promise<void> {
    const { chain, peerSeed, listen } = this.#options;
    const host = await Host.start(
      { chain, peerSeed, listen, dialTimeoutMs: this.#timings.dialTimeoutMs },
      {
        gossip: gossipService(chain, this.#limits),
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
    const relays =
      small && known.role === 'validator' && this.#presence.needsRelay(peer, now()) && isRelayable(hint)
        ? this.#relay(peer, kind, payload, hint)
        : 0;
    if (direct || relays > 0) return true;
    this.#unreachable++;
    return false;
  }

  broadcast(lane: Lane, kind: FrameKind, payload: Uint8Array, hint: SendHint = {}): void {
    for (const peer of this.#peers.all())
      if (peer.role === 'validator') this.send(peer.name, lane, kind, payload, hint);
  }

  async request(
    peer: string,
    kind: FrameKind,
    payload: Uint8Array,
    options: { readonly timeoutMs: number },
  ): Promise<Uint8Array | undefined> {
    this.#asked.sent++;
    try {
      if (this.#closing !== undefined) throw failure('NET_CLOSED', peer, 'the network is closed');
      if (payload.length > this.#limits.requestBytesMax || !(kind >= 0 && kind <= ownerKindMax)) {
        throw failure(
          'NET_MESSAGE_TOO_LARGE',
          peer,
          `payload above ${this.#limits.requestBytesMax} bytes; ask for less`,
        );
      }
      const link = this.#lanes.get(peer)?.open('bulk');
      if (link === undefined) throw failure('NET_NO_LANE', peer, 'no open bulk lane; ask another peer');
      const answer = await this.#requests.ask(peer, options.timeoutMs, (id) =>
        link.send(requestKind, encodeRequest({ id, kind, payload })),
      );
      this.#asked.answered++;
      return answer;
    } catch (error) {
      this.#asked.failed++;
      throw error;
    }
  }

  connected(peer: string): boolean {
    return this.#up.has(peer);
  }

  askable(): readonly string[] {
    const names: string[] = [];
    for (const [name, lanes] of this.#lanes) if (lanes.open('bulk') !== undefined) names.push(name);
    return names;
  }

  heardMs(validator: string): number {
    return validator === this.name ? 0 : this.#presence.heardMs(validator, now());
  }

  async publish(topic: GossipTopic, data: Uint8Array): Promise<number> {
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
      relay: { ...this.#relayed },
      requests: { ...this.#asked },
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
    this.#requests.close();
    for (const lanes of this.#lanes.values()) lanes.stop('network closed');
    this.#lanes.clear();
    this.#up.clear();
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, closeMs);
    const stopped = this.#host?.stop().catch((error: unknown) => this.#log('stop of libp2p failed', error));
    await Promise.race([stopped, late]);
    clearTimeout(timer);
  }

  #permits(peerId: string, direction: 'inbound' | 'outbound'): boolean {
    const peer = this.#peers.withId(peerId);
    const permitted = peer !== undefined && peer.lanes.length > 0 && peer.dials === (direction === 'outbound');
    if (!permitted) this.#strangers++;
    return permitted && this.#closing === undefined;
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

  #onLaneStream(lane: Lane, stream: Stream, connection: Connection): void {
    const peer = this.#peers.withId(connection.remotePeer.toString());
    const lanes = peer === undefined ? undefined : this.#lanes.get(peer.name);
    if (lanes === undefined || this.#closing !== undefined) connection.abort(new Error('not permitted'));
    else lanes.accept(lane, stream, connection);
  }

  #makeLink(lanes: PeerLanes, lane: Lane, stream: Stream, connection: Connection): LaneLink {
    const { name, primary } = lanes.peer;
    let hello: Uint8Array = new Uint8Array(0);
    if (primary === lane) {
      hello = this.#guard('hello', () => this.#modules.handlers.hello(name), hello);
      if (hello.length > this.#limits.helloBytesMax) {
        this.#handlerErrors++;
        hello = new Uint8Array(0);
      }
    }
    return new LaneLink(
      { peer: name, lane, limits: this.#limits, hello, primary: primary === lane },
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
    this.#heard(link.peer, true);
    if (link.lane === 'bulk') void this.#host?.identify(link.connection);
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
    if (link.lane === 'bulk' && lanes.open('bulk') === undefined) this.#requests.lost(link.peer);
    if (this.#up.get(link.peer) !== link) return;
    this.#up.delete(link.peer);
    this.#guard('onDown', () => handlers.onDown?.(link.peer), undefined);
  }

  /** False = no honest node sends this. */
  #onMessage(lanes: PeerLanes, link: LaneLink, kind: number, payload: Uint8Array): boolean {
    this.#heard(link.peer, true);
    if (kind === answerKind) return this.#onAnswer(link, payload);
    const cost = kind === relayKind || kind === relayedKind ? relayCost : 1;
    if (!lanes.take(link.lane, cost)) {
      this.#counters[link.lane].budgetDropped++;
      return true;
    }
    if (kind <= ownerKindMax) return this.#deliver(link, link.peer, false, kind, payload);
    if (kind === pingKind) return this.#onPing(link, payload);
    if (kind === requestKind && link.lane === 'bulk') return this.#onRequest(lanes, link, payload);
    if (kind === relayKind && link.lane === 'urgent') return this.#onRelay(link, payload);
    if (kind === relayedKind && link.lane === 'urgent') return this.#onRelayed(link, payload);
    return false;
  }

  #deliver(link: LaneLink, signer: string, relayed: boolean, kind: number, payload: Uint8Array): boolean {
    const frame = { peer: link.peer, signer, relayed, lane: link.lane, kind, payload };
    return this.#guard<FrameVerdict>('onFrame', () => this.#modules.handlers.onFrame(frame), undefined) !== 'invalid';
  }

  #onPing(link: LaneLink, payload: Uint8Array): boolean {
    const names = decodePing(payload);
    if (names === undefined || (link.lane === 'bulk' && names.length > 0)) return false;
    for (const name of this.#presence.listed(link.peer, names, now())) this.#tellHeard(name);
    return true;
  }

  #onRequest(lanes: PeerLanes, link: LaneLink, payload: Uint8Array): boolean {
    const request = decodeRequest(payload);
    if (request === undefined || request.payload.length > this.#limits.requestBytesMax) return false;
    const reply = (status: typeof answered | typeof absent | typeof busy, bytes = new Uint8Array(0)): void => {
      // Through the lane that is open then: the answer finds its request by number.
      lanes.open('bulk')?.send(answerKind, encodeAnswer({ id: request.id, status, payload: bytes }));
    };
    if (lanes.answersInFlight >= this.#limits.answersInFlightMax) {
      this.#asked.busy++;
      reply(busy);
      return true;
    }
    lanes.answersInFlight++;
    void this.#serve(link.peer, request.kind, request.payload).then((answer) => {
      lanes.answersInFlight--;
      if (answer === undefined) return reply(absent);
      // An answer that would overflow the queue displaces others: rather say at once that it must be asked for again.
      const queued = lanes.open('bulk')?.queuedBytes ?? 0;
      if (queued + answer.length > this.#limits.queueBytesMax) {
        this.#asked.busy++;
        return reply(busy);
      }
      this.#asked.served++;
      return reply(answered, answer as Uint8Array<ArrayBuffer>);
    });
    return true;
  }

  async #serve(peer: string, kind: number, payload: Uint8Array): Promise<Uint8Array | undefined> {
    try {
      const answer = await this.#modules.handlers.onRequest(peer, kind, payload);
      if (answer === undefined || answer.length <= this.#limits.answerBytesMax) return answer;
      throw new WeftError('NET_MESSAGE_TOO_LARGE', `answer of ${answer.length} bytes is above answerBytesMax`);
    } catch (error) {
      this.#failed('onRequest', error);
      return undefined;
    }
  }

  #onAnswer(link: LaneLink, payload: Uint8Array): boolean {
    const answer = link.lane === 'bulk' ? decodeAnswer(payload) : undefined;
    if (answer === undefined) return false;
    // A late answer finds nobody waiting, which is no fault of the peer's; but a flood of them costs budget.
    if (!this.#requests.answer(link.peer, answer) && this.#lanes.get(link.peer)?.take('bulk', 1) !== true) {
      this.#counters.bulk.budgetDropped++;
    }
    return true;
  }

  /** Sends through up to f + 1 validators that say they hear the target: one of them at least is honest. */
  #relay(to: string, kind: number, payload: Uint8Array, hint: SendHint): number {
    const relays = this.#presence.relaysTo(to, now());
    if (relays.length === 0) return 0;
    const validators = this.#peers.validators().length + (this.#role === 'validator' ? 1 : 0);
    const wanted = Math.min(relays.length, Math.floor((validators - 1) / 3) + 1);
    const bytes = encodeRelay({ to, kind, payload });
    let sent = 0;
    for (let index = 0; index < wanted; index++) {
      const relay = relays[(this.#relayTurn + index) % relays.length] ?? '';
      if (this.#lanes.get(relay)?.open('urgent')?.send(relayKind, bytes, hint) === true) sent++;
    }
    this.#relayTurn = (this.#relayTurn + 1) % 0x10000;
    this.#relayed.sent += sent;
    return sent;
  }

  #onRelay(link: LaneLink, payload: Uint8Array): boolean {
    const relay = decodeRelay(payload);
    if (relay === undefined || relay.to === this.name || relay.to === link.peer) return false;
    const target = this.#peers.named(relay.to);
    const nowMs = now();
    const key = this.#relayMemory.key(relay.to, relay.kind, relay.payload);
    // The two ends may know different sets around an epoch's end: nobody is to blame.
    if (target?.role !== 'validator' || this.#relayMemory.has(key, nowMs)) return true;
    const verdict = this.#verify(relay.kind, relay.payload);
    if (verdict === 'invalid' || verdict === 'unknown') {
      this.#relayed.refused++;
      return verdict !== 'invalid';
    }
    const next = this.#lanes.get(relay.to)?.open('urgent');
    if (next?.send(relayedKind, encodeRelayed(relay.kind, relay.payload)) !== true) return true;
    this.#relayMemory.add(key, nowMs);
    this.#relayed.forwarded++;
    return true;
  }

  #onRelayed(link: LaneLink, payload: Uint8Array): boolean {
    const inner = decodeRelayed(payload);
    if (inner === undefined) return false;
    const nowMs = now();
    const key = this.#relayedMemory.key(this.name, inner.kind, inner.payload);
    if (this.#relayedMemory.has(key, nowMs)) return true;
    const verdict = this.#verify(inner.kind, inner.payload);
    if (verdict === 'invalid' || verdict === 'unknown') {
      this.#relayed.refused++;
      return verdict !== 'invalid';
    }
    this.#relayedMemory.add(key, nowMs);
    this.#relayed.received++;
    const { signer } = verdict;
    if (signer !== undefined && this.#presence.indirect(signer, nowMs)) this.#tellHeard(signer);
    return this.#deliver(link, signer ?? link.peer, true, inner.kind, inner.payload);
  }

  #verify(kind: number, payload: Uint8Array): 'invalid' | 'unknown' | { readonly signer?: string } {
    return this.#guard('verifyRelayed', () => this.#modules.handlers.verifyRelayed(kind, payload), 'unknown' as const);
  }

  async #judge(topic: GossipTopic, data: Uint8Array, from: string): Promise<GossipVerdict> {
    try {
      return this.#closing === undefined ? await this.#modules.handlers.onGossip(topic, data, from) : 'ignore';
    } catch (error) {
      this.#failed('onGossip', error);
      return 'ignore';
    }
  }

  #heard(peer: string, direct: boolean): void {
    if (direct) this.#presence.direct(peer, now());
    this.#tellHeard(peer);
  }

  #tellHeard(name: string): void {
    if (this.#modules.handlers.onHeard === undefined || this.#peers.named(name)?.role !== 'validator') return;
    const nowMs = now();
    if (nowMs - (this.#heardAtMs.get(name) ?? Number.NEGATIVE_INFINITY) < this.#timings.pingMs / 2) return;
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

function isRelayable(hint: SendHint): boolean {
  return hint.class === 'vote' || hint.class === 'certificate' || hint.class === 'proposal';
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
