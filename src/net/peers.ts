import { publicKeyFromRaw } from '@libp2p/crypto/keys';
import type { PeerId } from '@libp2p/interface';
import { peerIdFromPublicKey } from '@libp2p/peer-id';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import { WeftError } from '../codec/error.ts';
import { peerNameBytesMax } from './limits.ts';
import type { Lane, NetworkPeer, Role } from './types.ts';

/** One permitted peer, with what the network derives from its entry. */
export type KnownPeer = {
  readonly name: string;
  readonly role: Role;
  readonly peerKey: Uint8Array;
  readonly peerId: PeerId;
  readonly id: string;
  /** With `/p2p/<id>`, so that a dial that reaches somebody else fails. */
  readonly addresses: readonly Multiaddr[];
  /**
   * Who dials. `ours`: we do, and refuse the peer's. `theirs`: the peer does. `either`: the peer should, but may not know where
   * we are (it has been here longer than we have), so we do when it does not come.
   */
  readonly dials: 'ours' | 'theirs' | 'either';
  /** Lanes that this pair has, in the order in which they are dialled. Empty between observers. */
  readonly lanes: readonly Lane[];
  /** The lane that carries the hello and decides about up and down. */
  readonly primary: Lane;
};

/** Peers per network: validators (W2: at most 128) and observers. */
const peersMax = 1024;

/**
 * The permitted set. Who dials: between validators the one whose peer key is lower, compared as bytes (the peer id of an
 * Ed25519 key is that key behind a constant prefix, so this is the order of the peer ids), unless it has no address of the
 * other; between an observer and a validator the observer, on the same condition.
 */
export class PeerSet {
  readonly #byName = new Map<string, KnownPeer>();
  readonly #byId = new Map<string, KnownPeer>();

  /** @throws WeftError NET_PEER_INVALID */
  constructor(own: { name: string; role: Role; peerKey: Uint8Array }, peers: readonly NetworkPeer[]) {
    if (peers.length > peersMax) throw refused('(list)', `more than ${peersMax} peers`);
    for (const peer of peers) {
      if (peer.name === own.name) continue;
      const known = derive(own, peer);
      if (this.#byName.has(peer.name)) throw refused(peer.name, 'listed twice');
      if (this.#byId.has(known.id)) throw refused(peer.name, 'its key is listed twice');
      this.#byName.set(peer.name, known);
      this.#byId.set(known.id, known);
    }
  }

  get size(): number {
    return this.#byName.size;
  }

  named(name: string): KnownPeer | undefined {
    return this.#byName.get(name);
  }

  withId(id: string): KnownPeer | undefined {
    return this.#byId.get(id);
  }

  all(): IterableIterator<KnownPeer> {
    return this.#byName.values();
  }

  validators(): KnownPeer[] {
    return [...this.#byName.values()].filter((peer) => peer.role === 'validator');
  }
}

/** True when nothing that a connection depends on differs. */
export function samePeer(a: KnownPeer, b: KnownPeer): boolean {
  return (
    a.id === b.id &&
    a.dials === b.dials &&
    a.primary === b.primary &&
    a.lanes.join() === b.lanes.join() &&
    a.role === b.role
  );
}

function derive(own: { role: Role; peerKey: Uint8Array }, peer: NetworkPeer): KnownPeer {
  const nameBytes = new TextEncoder().encode(peer.name).length;
  if (nameBytes === 0 || nameBytes > peerNameBytesMax)
    throw refused(peer.name, `name must have 1…${peerNameBytesMax} bytes`);
  if (peer.peerKey.length !== 32) throw refused(peer.name, 'peer key must have 32 bytes');
  const order = compareBytes(own.peerKey, peer.peerKey);
  if (order === 0) throw refused(peer.name, 'it has our own peer key');
  let peerId: PeerId;
  let addresses: Multiaddr[];
  try {
    peerId = peerIdFromPublicKey(publicKeyFromRaw(peer.peerKey));
    addresses = peer.addresses.map((address) => multiaddr(`${address}/p2p/${peerId.toString()}`));
  } catch (error) {
    throw refused(peer.name, error instanceof Error ? error.message : 'unreadable');
  }
  const validators = own.role === 'validator' && peer.role === 'validator';
  const observers = own.role === 'observer' && peer.role === 'observer';
  return {
    name: peer.name,
    role: peer.role,
    peerKey: peer.peerKey,
    peerId,
    id: peerId.toString(),
    addresses,
    dials: dialsOf(validators, observers, own.role, order, addresses.length > 0),
    // Bulk first: a peer with which votes are exchanged can then also be asked.
    lanes: validators ? ['bulk', 'urgent'] : observers ? [] : ['bulk'],
    primary: validators ? 'urgent' : 'bulk',
  };
}

function dialsOf(
  validators: boolean,
  observers: boolean,
  ownRole: Role,
  order: number,
  reachable: boolean,
): KnownPeer['dials'] {
  // Without an address nothing else decides: then the other side, which has ours, comes.
  if (!reachable || observers) return 'theirs';
  // A validator that became an observer may not know those that came after it.
  if (!validators) return ownRole === 'observer' ? 'ours' : 'either';
  return order < 0 ? 'ours' : 'either';
}

function refused(name: string, why: string): WeftError {
  return new WeftError('NET_PEER_INVALID', `peer ${name} refused: ${why}; correct the peer list`, { name });
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let index = 0; index < Math.min(a.length, b.length); index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
