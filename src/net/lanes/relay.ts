import type { RelayVerdict, SendHint } from '../types.ts';
import { decodeRelay, decodeRelayed, encodeRelay, encodeRelayed, relayedKind, relayKind } from './frame.ts';
import type { LaneLink } from './link.ts';
import type { Presence } from './presence.ts';
import { RelayMemory } from './relayMemory.ts';

/**
 * The way round a missing lane: a validator that has not heard another directly for a while sends its votes, certificates,
 * compact proposals and what it asks and answers at a start through those that do. A relay checks first, forwards once, one hop only; who is
 * asked to relay rubbish blames the sender, who is brought rubbish blames the relay.
 */
export type RelayOptions = { readonly name: string; readonly memory: number; readonly onceMs: number };

export type RelayModules = {
  readonly presence: Presence;
  readonly nowMs: () => number;
  /** Validators of the set, ourselves among them if we are one. */
  readonly validators: () => number;
  readonly isValidator: (name: string) => boolean;
  readonly urgent: (name: string) => LaneLink | undefined;
  readonly verify: (kind: number, payload: Uint8Array) => RelayVerdict;
  /** False = no honest node sends this. */
  readonly deliver: (link: LaneLink, signer: string | undefined, kind: number, payload: Uint8Array) => boolean;
};

export class Relay {
  readonly #options: RelayOptions;
  readonly #modules: RelayModules;
  /** What we forwarded, by target. */
  readonly #forwarded: RelayMemory;
  /** What came to us: several relays bring the same message. */
  readonly #delivered: RelayMemory;
  readonly #stats = { sent: 0, forwarded: 0, received: 0, refused: 0 };
  #turn = 0;

  constructor(options: RelayOptions, modules: RelayModules) {
    this.#options = options;
    this.#modules = modules;
    this.#forwarded = new RelayMemory(options.memory, options.onceMs);
    this.#delivered = new RelayMemory(options.memory, options.onceMs);
  }

  stats(): { sent: number; forwarded: number; received: number; refused: number } {
    return { ...this.#stats };
  }

  /**
   * Sends through up to f + 1 validators that say they hear the target: one of them at least is honest. Returns through
   * how many; 0 when the target is heard directly, the message is of no class that is relayed, or nobody can.
   */
  send(to: string, kind: number, payload: Uint8Array, hint: SendHint): number {
    const { presence, nowMs, validators, urgent } = this.#modules;
    if (!isRelayable(hint) || !presence.needsRelay(to, nowMs())) return 0;
    const relays = presence.relaysTo(to, nowMs());
    if (relays.length === 0) return 0;
    const wanted = Math.min(relays.length, Math.floor((validators() - 1) / 3) + 1);
    const bytes = encodeRelay({ to, kind, payload });
    let sent = 0;
    for (let index = 0; index < wanted; index++) {
      const relay = relays[(this.#turn + index) % relays.length];
      if (relay !== undefined && urgent(relay)?.send(relayKind, bytes, hint) === true) sent++;
    }
    this.#turn = (this.#turn + 1) % 0x10000;
    this.#stats.sent += sent;
    return sent;
  }

  /** A peer asks us to forward. False = no honest node sends this. */
  onRelay(link: LaneLink, bytes: Uint8Array): boolean {
    const relay = decodeRelay(bytes);
    if (relay === undefined || relay.to === this.#options.name || relay.to === link.peer) return false;
    const { isValidator, urgent, nowMs } = this.#modules;
    const key = this.#forwarded.key(relay.to, relay.kind, relay.payload);
    // The two ends may know different sets around an epoch's end: nobody is to blame.
    if (!isValidator(relay.to) || this.#forwarded.has(key, nowMs())) return true;
    const verdict = this.#verify(relay.kind, relay.payload);
    if (typeof verdict === 'string') return verdict === 'unknown';
    const sent = urgent(relay.to)?.send(relayedKind, encodeRelayed(relay.kind, relay.payload));
    if (sent === true) {
      this.#forwarded.add(key, nowMs());
      this.#stats.forwarded++;
    }
    return true;
  }

  /** A peer brings what another sent through it. False = no honest node sends this. */
  onRelayed(link: LaneLink, bytes: Uint8Array): boolean {
    const inner = decodeRelayed(bytes);
    if (inner === undefined) return false;
    const { nowMs, deliver } = this.#modules;
    const key = this.#delivered.key(this.#options.name, inner.kind, inner.payload);
    if (this.#delivered.has(key, nowMs())) return true;
    const verdict = this.#verify(inner.kind, inner.payload);
    if (typeof verdict === 'string') return verdict === 'unknown';
    this.#delivered.add(key, nowMs());
    this.#stats.received++;
    return deliver(link, verdict.signer, inner.kind, inner.payload);
  }

  #verify(kind: number, payload: Uint8Array): RelayVerdict {
    const verdict = this.#modules.verify(kind, payload);
    if (typeof verdict === 'string') this.#stats.refused++;
    return verdict;
  }
}

function isRelayable(hint: SendHint): boolean {
  return hint.class !== undefined && hint.class !== 'other';
}
