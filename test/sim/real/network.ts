// The face of src/net over virtual time: lanes that come up with a hello, keep their order, stall while a link is cut and break when it
// stays silent, requests, pings, relays through others, gossip. What a lane carries while it breaks is lost.
import { WeftError } from '../../../src/codec/error.ts';
import type {
  CreateNetwork,
  Frame,
  GossipTopic,
  Lane,
  Network,
  NetworkHandlers,
  NetworkOptions,
  NetworkStats,
  SendHint,
} from '../../../src/net/types.ts';
import type { Prng } from '../prng.ts';
import type { Clock, Life } from './clock.ts';

export type LinkFaults = {
  latencyMsMin: number;
  latencyMsMax: number;
  /** Part of the messages that take up to `slowMsMax` longer, and hold up those behind them. */
  slow: number;
  slowMsMax: number;
  /** Part of the frames that an overflowing queue drops. */
  loss: number;
  /** Part of the pings after which a lane breaks for no reason. */
  breaks: number;
};

/** One process: a node, or one of two that have the same name and keys. */
export type Seat = { readonly slot: number; readonly name: string; readonly life: Life };

export type Tap = {
  /** What leaves a seat, before the network has it. Gives what really leaves. */
  readonly leaving: (from: Seat, to: string, kind: number, payload: Uint8Array) => readonly Sent[];
  /** A handler threw: a defect of the node. */
  readonly threw: (at: Seat, what: string, error: unknown) => void;
  /** A node said of a frame that no honest one sends it. */
  readonly blamed: (at: Seat, peer: string, kind: number) => void;
};

export type Sent = { readonly kind: number; readonly payload: Uint8Array };

const pingMs = 500;
const silentMs = 5000;
const relayAfterMs = 1000;
const certificateKinds = new Set(['vote', 'certificate', 'proposal']);

type Peer = {
  readonly options: NetworkOptions;
  readonly handlers: NetworkHandlers;
  readonly seat: Seat;
  network: SimPeer;
};

/** One side of a lane pair. */
type Side = { readonly peer: Peer; open: boolean };
type Link = {
  readonly sides: readonly [Side, Side];
  broken: boolean;
  /** When the last message of a direction and lane arrives: the next one comes after it. */
  readonly lastMs: Map<string, number>;
  readonly held: (() => void)[];
  cutSinceMs: number | undefined;
};

export class SimNetwork {
  readonly #clock: Clock;
  readonly #prng: Prng;
  readonly #tap: Tap;
  faults: LinkFaults;
  readonly #peers = new Map<number, Peer>();
  readonly #links = new Map<string, Link>();
  readonly #cuts = new Set<string>();

  constructor(clock: Clock, prng: Prng, faults: LinkFaults, tap: Tap) {
    this.#clock = clock;
    this.#prng = prng;
    this.faults = faults;
    this.#tap = tap;
    const tick = (): void => {
      this.#tick();
      clock.after(pingMs, tick);
    };
    clock.after(pingMs, tick);
  }

  /** What a node is given instead of `createNetwork`. */
  of(seat: Seat): CreateNetwork {
    return async (options, { handlers }) => {
      const peer: Peer = { options, handlers, seat, network: undefined as never };
      peer.network = new SimPeer(this, peer);
      // A new process at the same address: what its last life had is over for everybody.
      for (const link of [...this.#links.values()])
        if (link.sides.some((side) => side.peer.seat.slot === seat.slot)) this.#break(link);
      this.#peers.set(seat.slot, peer);
      this.#clock.after(1, () => this.#dialAll());
      return peer.network;
    };
  }

  /** The process is gone: its peers notice at once (the system answers for it), or by its silence. */
  gone(slot: number): void {
    const peer = this.#peers.get(slot);
    if (peer === undefined) return;
    this.#peers.delete(slot);
    for (const link of [...this.#links.values()]) {
      if (!link.sides.some((side) => side.peer === peer)) continue;
      if (this.#prng.chance(0.5)) this.#break(link);
      else this.#clock.after(this.#prng.int(silentMs), () => this.#break(link));
    }
  }

  /** `hard`: both sides notice at once; else what is sent waits, and the lane breaks by its silence. */
  cut(a: number, b: number, hard: boolean): void {
    this.#cuts.add(pairOf(a, b));
    const link = this.#links.get(pairOf(a, b));
    if (link === undefined) return;
    if (hard) this.#break(link);
    else link.cutSinceMs ??= this.#clock.nowMs();
  }

  heal(): void {
    this.#cuts.clear();
    for (const link of this.#links.values()) {
      link.cutSinceMs = undefined;
      for (const deliver of link.held.splice(0)) deliver();
    }
    this.#dialAll();
  }

  /** Which of two seats of one name a third one talks to is what the cuts say. */
  linkTo(from: Peer, name: string): { link: Link; theirs: Side } | undefined {
    for (const link of this.#links.values()) {
      if (link.broken) continue;
      const [a, b] = link.sides;
      const [own, theirs] = a.peer === from ? [a, b] : [b, a];
      if (own.peer === from && own.open && theirs.peer.seat.name === name) return { link, theirs };
    }
    return undefined;
  }

  openTo(from: Peer): string[] {
    const names = from.options.peers.map(({ name }) => name);
    return [...new Set(names)].filter((name) => this.linkTo(from, name) !== undefined);
  }

  /** Delivers in order, after a latency. `arrived` runs in the receiver's life. */
  carry(from: Peer, found: { link: Link; theirs: Side }, lane: Lane, arrived: (to: Peer) => void): void {
    const { link, theirs } = found;
    const { latencyMsMin, latencyMsMax, slow, slowMsMax } = this.faults;
    const prng = this.#prng;
    const latencyMs = prng.between(latencyMsMin, latencyMsMax) + (prng.chance(slow) ? prng.int(slowMsMax) : 0);
    const direction = `${from.seat.slot} ${lane}`;
    const atMs = Math.max(link.lastMs.get(direction) ?? 0, this.#clock.nowMs() + latencyMs);
    link.lastMs.set(direction, atMs);
    const deliver = (): void => {
      if (link.cutSinceMs !== undefined) {
        link.held.push(deliver);
        return;
      }
      if (link.broken || theirs.peer.seat.life.over || !theirs.open) return;
      this.as(theirs.peer, () => {
        this.#heard(theirs.peer, from.seat.name);
        arrived(theirs.peer);
      });
    };
    this.#clock.after(atMs - this.#clock.nowMs(), deliver);
  }

  /** Sends a frame as src/net does: directly where there is a lane, through others where there was no sign of life for a second. */
  send(from: Peer, to: string, lane: Lane, given: Sent, hint: SendHint): boolean {
    let went = false;
    for (const { kind, payload } of this.#tap.leaving(from.seat, to, given.kind, given.payload)) {
      const found = this.linkTo(from, to);
      if (found !== undefined) {
        went = true;
        if (this.#prng.chance(this.faults.loss)) continue;
        this.carry(from, found, lane, (at) => this.#deliver(at, from.seat.name, undefined, lane, kind, payload));
      }
      const silent = from.network.heardMs(to) > relayAfterMs;
      if (silent && lane === 'urgent' && certificateKinds.has(hint.class ?? '')) this.#relay(from, to, kind, payload);
    }
    return went;
  }

  #relay(from: Peer, to: string, kind: number, payload: Uint8Array): void {
    const through = this.#prng.shuffle(this.openTo(from).filter((name) => name !== to)).slice(0, 2);
    for (const name of through) {
      const found = this.linkTo(from, name);
      if (found === undefined) continue;
      this.carry(from, found, 'urgent', (relay) => {
        const verdict = this.#guard(relay, 'verifyRelayed', () => relay.handlers.verifyRelayed(kind, payload));
        const onward = this.linkTo(relay, to);
        if (verdict === undefined || typeof verdict === 'string' || onward === undefined) return;
        this.carry(relay, onward, 'urgent', (at) => {
          const checked = this.#guard(at, 'verifyRelayed', () => at.handlers.verifyRelayed(kind, payload));
          if (checked === undefined || typeof checked === 'string') return;
          this.#deliver(at, relay.seat.name, checked.signer ?? relay.seat.name, 'urgent', kind, payload);
        });
      });
    }
  }

  #deliver(at: Peer, peer: string, signer: string | undefined, lane: Lane, kind: number, payload: Uint8Array): void {
    const frame: Frame = { peer, signer: signer ?? peer, relayed: signer !== undefined, lane, kind, payload };
    const verdict = this.#guard(at, 'onFrame', () => at.handlers.onFrame(frame));
    if (verdict !== 'invalid') return;
    this.#tap.blamed(at.seat, peer, kind);
    const found = this.linkTo(at, peer);
    if (found !== undefined) this.#break(found.link);
  }

  gossip(from: Peer, topic: GossipTopic, data: Uint8Array): number {
    let count = 0;
    for (const name of this.openTo(from)) {
      const found = this.linkTo(from, name);
      if (found === undefined || this.#prng.chance(this.faults.loss)) continue;
      count += 1;
      this.carry(from, found, 'bulk', (at) => {
        void (async () => at.handlers.onGossip(topic, data, from.seat.name))().catch((error: unknown) =>
          this.#tap.threw(at.seat, 'onGossip', error),
        );
      });
    }
    return count;
  }

  /** The network object was closed, or its set of peers has changed. */
  applied(peer: Peer, closed: boolean): void {
    for (const link of [...this.#links.values()]) {
      if (!link.sides.some((side) => side.peer === peer)) continue;
      const [a, b] = link.sides;
      if (closed || !permits(a.peer, b.peer) || !permits(b.peer, a.peer)) this.#break(link);
    }
    if (closed && this.#peers.get(peer.seat.slot) === peer) this.#peers.delete(peer.seat.slot);
    else this.#dialAll();
  }

  as<T>(peer: Peer, action: () => T): T {
    return this.#clock.as(peer.seat.life, action);
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  #guard<T>(at: Peer, what: string, call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      this.#tap.threw(at.seat, what, error);
      return undefined;
    }
  }

  #heard(at: Peer, name: string): void {
    if (at.network.heardNow(name)) this.#guard(at, 'onHeard', () => at.handlers.onHeard?.(name));
  }

  #dialAll(): void {
    const peers = this.#prng.shuffle([...this.#peers.values()]);
    for (const [i, a] of peers.entries()) {
      for (const b of peers.slice(i + 1)) {
        const pair = pairOf(a.seat.slot, b.seat.slot);
        if (this.#links.has(pair) || this.#cuts.has(pair) || !permits(a, b) || !permits(b, a)) continue;
        // A name is one peer to others: a second lane to it is refused.
        if (this.#taken(a, b) || this.#taken(b, a)) continue;
        this.#connect(pair, a, b);
      }
    }
  }

  #taken(from: Peer, to: Peer): boolean {
    for (const link of this.#links.values()) {
      const [a, b] = link.sides;
      const other = a.peer === from ? b.peer : b.peer === from ? a.peer : undefined;
      if (other !== undefined && !link.broken && other.seat.name === to.seat.name) return true;
    }
    return false;
  }

  #connect(pair: string, a: Peer, b: Peer): void {
    const sides: readonly [Side, Side] = [
      { peer: a, open: false },
      { peer: b, open: false },
    ];
    const link: Link = { sides, broken: false, lastMs: new Map(), held: [], cutSinceMs: undefined };
    this.#links.set(pair, link);
    for (const [own, theirs] of [sides, [sides[1], sides[0]] as const]) {
      const dialMs = this.#prng.between(5, 100);
      this.#clock.after(dialMs, () => {
        if (link.broken || own.peer.seat.life.over) return;
        const hello = this.as(own.peer, () =>
          this.#guard(own.peer, 'hello', () => own.peer.handlers.hello(theirs.peer.seat.name)),
        );
        this.#clock.after(this.#prng.between(this.faults.latencyMsMin, this.faults.latencyMsMax), () => {
          if (link.broken || theirs.peer.seat.life.over || hello === undefined) return;
          theirs.open = true;
          const { handlers } = theirs.peer;
          const { name } = own.peer.seat;
          this.as(theirs.peer, () => {
            this.#heard(theirs.peer, name);
            this.#guard(theirs.peer, 'onUp', () => handlers.onUp?.(name));
            if (this.#guard(theirs.peer, 'onHello', () => handlers.onHello(name, hello)) === 'invalid')
              this.#break(link);
          });
        });
      });
    }
  }

  #break(link: Link): void {
    if (link.broken) return;
    link.broken = true;
    link.held.length = 0;
    for (const [pair, each] of this.#links) if (each === link) this.#links.delete(pair);
    const [a, b] = link.sides;
    for (const [own, theirs] of [link.sides, [b, a] as const]) {
      if (!own.open || own.peer.seat.life.over) continue;
      own.open = false;
      const { name } = theirs.peer.seat;
      this.as(own.peer, () => {
        own.peer.network.lost(name);
        this.#guard(own.peer, 'onDown', () => own.peer.handlers.onDown?.(name));
      });
    }
    if (a.peer.seat.life.over || b.peer.seat.life.over) return;
    this.#clock.after(this.#prng.between(100, 2000), () => this.#dialAll());
  }

  #tick(): void {
    for (const link of [...this.#links.values()]) {
      if (link.cutSinceMs !== undefined) {
        if (this.#clock.nowMs() - link.cutSinceMs >= silentMs) this.#break(link);
        continue;
      }
      if (this.#prng.chance(this.faults.breaks)) {
        this.#break(link);
        continue;
      }
      const [a, b] = link.sides;
      for (const [own, theirs] of [link.sides, [b, a] as const]) {
        if (own.open && theirs.open && !own.peer.seat.life.over)
          this.carry(own.peer, { link, theirs }, 'urgent', () => undefined);
      }
    }
    this.#dialAll();
  }
}

class SimPeer implements Network {
  readonly name: string;
  readonly peerId: string;
  readonly #hub: SimNetwork;
  readonly #peer: Peer;
  #peers: NetworkOptions['peers'];
  readonly #heardAtMs = new Map<string, number>();
  readonly #toldAtMs = new Map<string, number>();
  readonly #waiting = new Map<string, Set<(error: Error) => void>>();
  #closed = false;

  constructor(hub: SimNetwork, peer: Peer) {
    this.#hub = hub;
    this.#peer = peer;
    this.name = peer.options.name;
    this.peerId = peer.options.name;
    this.#peers = peer.options.peers;
  }

  get permitted(): NetworkOptions['peers'] {
    return this.#closed ? [] : this.#peers;
  }

  addresses(): readonly string[] {
    return [];
  }

  send(peer: string, lane: Lane, kind: number, payload: Uint8Array, hint: SendHint = {}): boolean {
    if (this.#closed || this.#peer.seat.life.over) return false;
    return this.#hub.send(this.#peer, peer, lane, { kind, payload: payload.slice() }, hint);
  }

  broadcast(lane: Lane, kind: number, payload: Uint8Array, hint: SendHint = {}): void {
    for (const { name, role } of this.#peers)
      if (role === 'validator' && name !== this.name) this.send(name, lane, kind, payload, hint);
  }

  request(
    peer: string,
    kind: number,
    payload: Uint8Array,
    options: { readonly timeoutMs: number },
  ): Promise<Uint8Array | undefined> {
    const found = this.#closed ? undefined : this.#hub.linkTo(this.#peer, peer);
    if (found === undefined) return Promise.reject(new WeftError('NET_NO_LANE', peer));
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array | undefined>();
    const waiting = this.#waiting.get(peer) ?? new Set();
    this.#waiting.set(peer, waiting);
    const done = (): void => {
      clearTimeout(timer);
      waiting.delete(fail);
    };
    const fail = (error: Error): void => {
      done();
      reject(error);
    };
    const timer = setTimeout(() => fail(new WeftError('NET_TIMEOUT', peer)), options.timeoutMs);
    waiting.add(fail);
    const copy = payload.slice();
    this.#hub.carry(this.#peer, found, 'bulk', (to) => {
      void (async () => to.handlers.onRequest(this.name, kind, copy))()
        .catch(() => undefined)
        .then((answer) => {
          const back = this.#hub.linkTo(to, this.name);
          if (back === undefined || back.link !== found.link) return;
          this.#hub.carry(to, back, 'bulk', () => {
            done();
            resolve(answer);
          });
        });
    });
    return promise;
  }

  connected(peer: string): boolean {
    return this.#hub.linkTo(this.#peer, peer) !== undefined;
  }

  askable(): readonly string[] {
    return this.#closed ? [] : this.#hub.openTo(this.#peer);
  }

  heardMs(validator: string): number {
    if (validator === this.name) return 0;
    const atMs = this.#heardAtMs.get(validator);
    return atMs === undefined ? Number.POSITIVE_INFINITY : this.#hub.nowMs() - atMs;
  }

  /** Whether the owner is to be told. */
  heardNow(name: string): boolean {
    const nowMs = this.#hub.nowMs();
    this.#heardAtMs.set(name, nowMs);
    if (nowMs - (this.#toldAtMs.get(name) ?? Number.NEGATIVE_INFINITY) < pingMs / 2) return false;
    this.#toldAtMs.set(name, nowMs);
    return this.#peers.some((peer) => peer.name === name && peer.role === 'validator');
  }

  lost(name: string): void {
    for (const fail of [...(this.#waiting.get(name) ?? [])]) fail(new WeftError('NET_NO_LANE', name));
  }

  async publish(topic: GossipTopic, data: Uint8Array): Promise<number> {
    return this.#closed ? 0 : this.#hub.gossip(this.#peer, topic, data.slice());
  }

  setPeers(peers: NetworkOptions['peers']): void {
    this.#peers = peers;
    this.#hub.applied(this.#peer, false);
  }

  stats(): NetworkStats {
    throw new Error('nobody asks for metrics here');
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const name of this.#waiting.keys()) this.lost(name);
    this.#hub.applied(this.#peer, true);
  }
}

/** Both know each other by this name and key. */
function permits(own: Peer, other: Peer): boolean {
  return own.seat.name !== other.seat.name && own.network.permitted.some(({ name }) => name === other.seat.name);
}

function pairOf(a: number, b: number): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
