import { toHex } from '../codec/hex.ts';
import { equalBytes } from '../codec/utf8.ts';
import type { ValidatorKeys } from '../crypto/validatorKeys.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Network, NetworkPeer, Role } from '../net/types.ts';
import type { Closing } from './closing.ts';
import type { Config } from './config.ts';
import type { EpochRuntime } from './epochRuntime.ts';
import type { Log } from './log.ts';
import { lastOwn, peersOf, retiredGraceMs, standingOf } from './membership.ts';
import { encodeNumbers, frameKinds } from './wire.ts';

/**
 * Keeps the network's list of peers as state has it: it changes with epochs, observers and proposals, and a while after an epoch.
 * Tells all of them how far this node is.
 */
export type NeighboursModules = {
  readonly ledger: Ledger;
  readonly config: Config;
  /** Key files at hand, the present one first. */
  readonly files: readonly ValidatorKeys[];
  readonly closing: Pick<Closing, 'retiring' | 'missing'>;
  readonly runtime: () => EpochRuntime;
  /** Undefined until it is up. */
  readonly network: () => Network | undefined;
  /** This node has to be opened anew. */
  readonly reopen: (why: string) => void;
  readonly log: Log;
};

/** What did not change is said again after so many turns: who lost the last word may know of nothing to ask for. */
const heightAgain = 10;

export class Neighbours {
  readonly #modules: NeighboursModules;
  /** Of the host that runs. */
  readonly #peerKey: Uint8Array;
  #toldHeight = 0;
  #toldAgo = 0;
  /** What the network was last told. */
  #toldPeers = '';

  constructor(modules: NeighboursModules) {
    this.#modules = modules;
    this.#peerKey = modules.runtime().standing.keys.peer.publicKey;
  }

  /** All that may connect now. */
  peers(): NetworkPeer[] {
    const { ledger, config, files, closing, runtime } = this.#modules;
    const { role, keys, code } = runtime().standing;
    const retiring = closing.retiring(retiredGraceMs);
    if (code === 'NODE_UNKNOWN' && role === 'observer') {
      const last = lastOwn(ledger, config, files);
      // Who was a validator and is listed no more has said its last word, once nobody waits for it and it waits for nothing.
      if (last !== undefined && closing.missing.length === 0 && !retiring.some((epoch) => epoch <= last.epoch))
        return [];
    }
    return peersOf(ledger, config, keys.peer.publicKey, retiring);
  }

  /** After each change of epoch, and every second or so. */
  apply(): void {
    const { runtime, network, reopen } = this.#modules;
    const net = network();
    if (net === undefined) return;
    this.#standAnew();
    const { role, keys } = runtime().standing;
    const peers = this.peers();
    const told = JSON.stringify([role, peers.map((peer) => [peer.name, peer.role, toHex(peer.peerKey)])]);
    if (told === this.#toldPeers) return;
    this.#toldPeers = told;
    // Another peer id is another host.
    if (!equalBytes(keys.peer.publicKey, this.#peerKey)) reopen('PEER_KEY_CHANGED');
    else this.#set(net, peers, role);
  }

  /** State names keys that no network takes: contracts keep that out, and if they did not, the lanes that are there stay. */
  #set(net: Network, peers: readonly NetworkPeer[], role: Role): void {
    try {
      net.setPeers(peers, role);
    } catch (error) {
      this.#modules.log.error({ error: String(error) }, 'who may connect cannot be changed');
    }
  }

  /** Every second: at what height this node is, when that is news, and now and then all the same. */
  tell(): void {
    const { ledger, network } = this.#modules;
    const { height } = ledger.finalized.header;
    this.#toldAgo += 1;
    if (height === this.#toldHeight && this.#toldAgo < heightAgain) return;
    this.#toldHeight = height;
    this.#toldAgo = 0;
    const payload = encodeNumbers(ledger.epoch.epoch, height);
    for (const { name } of this.peers())
      network()?.send(name, 'urgent', frameKinds.finalizedHeight, payload, { class: 'other' });
  }

  /** Whether this node is listed as an observer, or a candidate, may change within an epoch. */
  #standAnew(): void {
    const { ledger, config, files, runtime, log } = this.#modules;
    const now = runtime();
    if (now.index !== undefined || now.epoch.epoch !== ledger.epoch.epoch) return;
    try {
      const standing = standingOf(ledger, config, files);
      if (standing.code === now.standing.code || standing.index !== undefined) return;
      now.stand(standing);
      if (standing.code === '') log.info({ epoch: now.epoch.epoch, role: standing.role }, 'the ledger lists this node');
      else log.error({ epoch: now.epoch.epoch, code: standing.code }, standing.words);
    } catch (error) {
      // Its keys are somebody else's now: the next start says so, and until then nothing changes.
      log.warn({ error: String(error) }, 'who this node is');
    }
  }
}
