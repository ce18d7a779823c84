import type { Connection } from '@libp2p/interface';
import { codeOf } from '../../codec/error.ts';
import type { KnownPeer } from '../peers.ts';
import type { Lane, NetworkLimits, NetworkLog, NetworkTimings } from '../types.ts';
import type { DirectStream } from '../yamux/stream.ts';
import { Doubt } from './doubt.ts';
import type { LaneLink } from './link.ts';
import { Backoff, Budget, Penalty } from './pace.ts';

/**
 * The lanes of one permitted peer: dialled for ever when it is ours to dial, accepted when it is the peer's. At most one
 * link per lane. Of two that the peer dialled the newer stays: it dials only when it holds none, so the older one is dead and
 * we have not noticed yet. What is ours to dial is accepted too while there is none: at a change of epoch two sides may for a
 * while not agree on whose turn it is.
 */
export type PeerLanesOptions = { readonly limits: NetworkLimits; readonly timings: NetworkTimings };

export type PeerLanesModules = {
  readonly log: NetworkLog;
  readonly nowMs: () => number;
  readonly dial: (peer: KnownPeer, lane: Lane) => Promise<{ stream: DirectStream; connection: Connection }>;
  /** Makes the link; it reports its end through `PeerLanes.ended`. */
  readonly makeLink: (lanes: PeerLanes, lane: Lane, stream: DirectStream, connection: Connection) => LaneLink;
};

type Slot = {
  link: LaneLink | undefined;
  dialAtMs: number;
  readonly backoff: Backoff;
  readonly penalty: Penalty;
  /** Kept over reconnects, else a new connection would buy a new budget. */
  readonly budget: Budget;
};

/** So long the peer has time to come by itself where it should. */
const eitherAfterMs = 1000;
/** One lane after the other comes twice at a restart, or at a change of epoch; whoever comes so often in a minute is there twice. */
const twiceTimes = 8;
const briefMs = 1000;

export class PeerLanes {
  /** Replaced when its addresses change. */
  peer: KnownPeer;
  readonly #options: PeerLanesOptions;
  readonly #modules: PeerLanesModules;
  readonly #slots = new Map<Lane, Slot>();
  /** It comes while it is here. */
  readonly #twice = new Doubt(twiceTimes);
  /** It cuts what has just been opened. */
  readonly #cut = new Doubt(twiceTimes);
  #timer: NodeJS.Timeout | undefined;
  #dialling = false;
  #stopped = false;

  constructor(peer: KnownPeer, options: PeerLanesOptions, modules: PeerLanesModules) {
    this.peer = peer;
    this.#options = options;
    this.#modules = modules;
    const { limits, timings } = options;
    const nowMs = modules.nowMs();
    for (const lane of peer.lanes) {
      this.#slots.set(lane, {
        link: undefined,
        dialAtMs: nowMs + this.#patienceMs(),
        backoff: new Backoff(timings.reconnectMinMs, timings.reconnectMaxMs),
        penalty: new Penalty(timings.penaltyMinMs, timings.penaltyMaxMs),
        budget: new Budget(limits.laneMessagesPerSecond, limits.laneMessagesBurst, nowMs),
      });
    }
  }

  start(): void {
    this.#schedule();
  }

  /** The open link of this lane. */
  open(lane: Lane): LaneLink | undefined {
    const link = this.#slots.get(lane)?.link;
    return link?.isOpen === true ? link : undefined;
  }

  /** Links in any state but closed. */
  links(): LaneLink[] {
    const links: LaneLink[] = [];
    for (const { link } of this.#slots.values()) if (link !== undefined) links.push(link);
    return links;
  }

  isCurrent(link: LaneLink): boolean {
    return this.#slots.get(link.lane)?.link === link;
  }

  take(lane: Lane, cost: number): boolean {
    return this.#slots.get(lane)?.budget.take(cost, this.#modules.nowMs()) ?? false;
  }

  /** An inbound lane stream. Refused (and its connection cut) when this peer may not open it now. */
  accept(lane: Lane, stream: DirectStream, connection: Connection): void {
    const slot = this.#slots.get(lane);
    const refusal =
      this.#stopped || slot === undefined
        ? 'no such lane between us'
        : this.peer.dials === 'ours' && slot.link?.isOpen === true
          ? 'it is ours to dial'
          : slot.penalty.leftMs(this.#modules.nowMs()) > 0
            ? 'closed for a while after misbehaviour'
            : this.links().some((link) => link.connection === connection)
              ? 'each lane needs a connection of its own'
              : undefined;
    if (slot?.link?.isOpen === true && this.#twice.again(this.#modules.nowMs()))
      this.#modules.log.warn(
        { peer: this.peer.name, lane },
        'this peer connects again and again while it is connected: two processes may be running with its peer key',
      );
    if (refusal !== undefined || slot === undefined) {
      this.#modules.log.debug({ peer: this.peer.name, lane, refusal }, 'lane refused');
      connection.abort(new Error(refusal ?? 'refused'));
      return;
    }
    this.#install(slot, lane, stream, connection);
  }

  /** Called once by each link of ours when it has ended. True when it was the lane's current one. */
  ended(link: LaneLink, misbehaved: boolean): boolean {
    const slot = this.#slots.get(link.lane);
    if (slot === undefined) return false;
    const nowMs = this.#modules.nowMs();
    if (misbehaved) slot.penalty.strike(nowMs);
    if (slot.link !== link) return false;
    slot.link = undefined;
    if (!misbehaved && nowMs - link.openedMs < briefMs) this.#wasCut(link.lane);
    if (nowMs - link.openedMs > this.#options.timings.reconnectMaxMs) slot.backoff.reset();
    slot.dialAtMs = nowMs + Math.max(slot.backoff.next(), this.#patienceMs());
    this.#schedule();
    return true;
  }

  stop(reason: string): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const link of this.links()) link.close(reason);
  }

  #install(slot: Slot, lane: Lane, stream: DirectStream, connection: Connection): void {
    const older = slot.link;
    const link = this.#modules.makeLink(this, lane, stream, connection);
    slot.link = link;
    older?.close('replaced by a newer connection');
    link.start();
  }

  #schedule(): void {
    if (this.#stopped || this.#dialling || this.peer.dials === 'theirs') return;
    clearTimeout(this.#timer);
    const nowMs = this.#modules.nowMs();
    let next: { lane: Lane; slot: Slot; waitMs: number } | undefined;
    for (const [lane, slot] of this.#slots) {
      if (slot.link !== undefined) continue;
      const waitMs = Math.max(0, slot.dialAtMs - nowMs, slot.penalty.leftMs(nowMs));
      if (next === undefined || waitMs < next.waitMs) next = { lane, slot, waitMs };
    }
    if (next === undefined) return;
    const { lane, slot, waitMs } = next;
    this.#timer = setTimeout(() => void this.#dial(lane, slot), waitMs);
  }

  #wasCut(lane: Lane): void {
    if (this.#stopped || !this.#cut.again(this.#modules.nowMs())) return;
    this.#modules.log.warn(
      { peer: this.peer.name, lane },
      'this peer ends each connection as soon as it is there: another process may be running with the peer key of this node, or the peer does not list it',
    );
  }

  #patienceMs(): number {
    return this.peer.dials === 'either' ? eitherAfterMs : 0;
  }

  async #dial(lane: Lane, slot: Slot): Promise<void> {
    this.#dialling = true;
    const { log, dial, nowMs } = this.#modules;
    const peer = this.peer;
    try {
      if (peer.addresses.length === 0) throw new Error('no address known');
      const { stream, connection } = await dial(peer, lane);
      if (this.#stopped || slot.link !== undefined || this.peer.id !== peer.id)
        connection.abort(new Error('not wanted any more'));
      else this.#install(slot, lane, stream, connection);
    } catch (error) {
      if (codeOf(error) === 'NET_CUT') this.#wasCut(lane);
      slot.dialAtMs = nowMs() + Math.max(slot.backoff.next(), this.#patienceMs());
      log.debug(
        { peer: peer.name, lane, reason: error instanceof Error ? error.message : String(error) },
        'dial failed',
      );
    } finally {
      this.#dialling = false;
      this.#schedule();
    }
  }
}
