import { WeftError } from '../codec/error.ts';
import { decodeCertificate, verifyCertificate } from '../ledger/certificate.ts';
import { blockIdOfBytes, decodeHeader } from '../ledger/header.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { decodeSentCosignature, encodeSentCosignature, type SentCosignature } from '../log/sentCosignature.ts';
import type { Frame, FrameVerdict, GossipTopic, GossipVerdict, Network, NetworkHandlers } from '../net/types.ts';
import type { Admission } from './admission.ts';
import type { Answers } from './answers.ts';
import { type Batches, decodeTaken } from './batches.ts';
import type { Closing } from './closing.ts';
import type { Duties } from './duties.ts';
import type { EpochRuntime } from './epochRuntime.ts';
import type { Spread } from './spread.ts';
import type { Sync } from './sync.ts';
import { decodeBlock, decodeHello, decodeNumbers, encodeHello, encodeNumbers, frameKinds, isFormCode } from './wire.ts';

/** What comes from the network, to those whose business it is. */
export type GatewayModules = {
  readonly ledger: Ledger;
  readonly sync: Sync;
  readonly answers: Answers;
  readonly admission: Admission;
  readonly batches: Batches;
  readonly spread: Spread;
  readonly duties: Duties;
  readonly closing: Closing;
  readonly runtime: () => EpochRuntime;
  readonly network: () => Network;
  readonly monotonicMs: () => number;
};

/** A peer that is an epoch behind is told so this often. */
const tellEveryMs = 250;

export class Gateway {
  readonly #modules: GatewayModules;
  readonly #toldMs = new Map<string, number>();

  constructor(modules: GatewayModules) {
    this.#modules = modules;
  }

  handlers(): NetworkHandlers {
    const { answers, batches, spread, sync, runtime } = this.#modules;
    return {
      hello: () => this.#hello(),
      onHello: (peer, payload) => this.#onHello(peer, payload),
      onFrame: (frame) => this.#onFrame(frame),
      onRequest: (peer, kind, payload) => answers.answer(peer, kind, payload),
      verifyRelayed: (kind, payload) => runtime().consensus.verifyRelayed(kind, payload),
      onUp: (peer) => this.#onUp(peer),
      onDown: (peer) => {
        this.#toldMs.delete(peer);
        batches.forget(peer);
        spread.lost(peer);
        sync.forget(peer);
      },
      onHeard: (validator) => runtime().consensus.heard(validator),
      onGossip: (topic, data) => this.#onGossip(topic, data),
    };
  }

  /** A peer spoke of another epoch: who is behind learns it, and fetches what it lacks. Nobody is to blame. */
  otherEpoch(peer: string, epoch: number): void {
    const { ledger, network, monotonicMs } = this.#modules;
    if (epoch > ledger.epoch.epoch) this.#follow(epoch);
    if (epoch >= ledger.epoch.epoch) return;
    const now = monotonicMs();
    if (now - (this.#toldMs.get(peer) ?? Number.NEGATIVE_INFINITY) < tellEveryMs) return;
    this.#toldMs.set(peer, now);
    const payload = encodeNumbers(ledger.epoch.epoch, ledger.finalized.header.height);
    network().send(peer, 'urgent', frameKinds.finalizedHeight, payload, { class: 'other' });
  }

  /** One peer's word is enough to look: what comes is proven, and a liar costs a few questions. */
  #follow(epoch: number): void {
    const { ledger, sync } = this.#modules;
    if (epoch > ledger.epoch.epoch) sync.catchUpTo(ledger.finalized.header.height + 1);
  }

  #hello(): Uint8Array {
    const { ledger, runtime } = this.#modules;
    const { finalized, epoch, genesis } = ledger;
    return encodeHello({
      chain: genesis.chain,
      ruleset: epoch.ruleset,
      epoch: epoch.epoch,
      view: runtime().consensus.status().view,
      finalizedHeight: finalized.header.height,
      finalizedView: finalized.certificate?.subject.view ?? 0,
    });
  }

  #onHello(peer: string, payload: Uint8Array): FrameVerdict {
    const { ledger, runtime, sync } = this.#modules;
    try {
      const hello = decodeHello(payload);
      if (hello.chain !== ledger.genesis.chain) return 'invalid';
      runtime().consensus.connected(peer, hello);
      sync.heard(peer, hello.finalizedHeight, 1);
      this.#follow(hello.epoch);
      return undefined;
    } catch {
      return 'invalid';
    }
  }

  #onUp(peer: string): void {
    const { runtime, network, duties } = this.#modules;
    duties.connected(peer);
    const newest = runtime().cosigner.ownNewest();
    if (newest === undefined) return;
    network().send(peer, 'urgent', frameKinds.cosignature, encodeSentCosignature(newest), { class: 'other' });
  }

  #onFrame(frame: Frame): FrameVerdict {
    const { batches, spread, runtime, sync, duties } = this.#modules;
    try {
      switch (frame.kind) {
        case frameKinds.transactions:
          batches.receive(frame.peer, frame.payload);
          return undefined;
        case frameKinds.taken:
          spread.taken(frame.peer, decodeTaken(frame.payload));
          return undefined;
        case frameKinds.evidence:
          return duties.evidence.receive(frame.payload);
        case frameKinds.cosignature:
          this.#onCosignature(decodeSentCosignature(frame.payload));
          return undefined;
        case frameKinds.finalizedHeight: {
          const [epoch = 0, height = 0] = decodeNumbers(frame.payload, 2);
          // What is a block or two away comes by consensus; more than that does not come by itself, nor does the end of an epoch.
          sync.heard(frame.peer, height, 2);
          this.#follow(epoch);
          return undefined;
        }
        default:
          return runtime().consensus.onFrame(frame);
      }
    } catch (error) {
      if (error instanceof WeftError) return 'invalid';
      throw error;
    }
  }

  async #onGossip(topic: GossipTopic, data: Uint8Array): Promise<GossipVerdict> {
    try {
      switch (topic) {
        case 'headers':
          return this.#onHeader(data);
        case 'transactions':
          await this.#modules.admission.submit(data, false);
          return 'accept';
        case 'checkpoints':
          return this.#onCosignature(decodeSentCosignature(data)) === 'new' ? 'accept' : 'ignore';
        default:
          return 'ignore';
      }
    } catch (error) {
      if (!(error instanceof WeftError)) throw error;
      // What depends on time, state or room here says nothing about who passed it on.
      return isFormCode(error.code) ? 'reject' : 'ignore';
    }
  }

  /** Of the present epoch, or of the last block of one that is over; the same keys may stand in both. */
  #onCosignature(cosignature: SentCosignature): 'new' | 'dropped' {
    const { runtime, closing } = this.#modules;
    const last = closing.receive(cosignature);
    return runtime().cosigner.receive(cosignature) === 'new' ? 'new' : last;
  }

  #onHeader(data: Uint8Array): GossipVerdict {
    const { ledger, runtime, sync } = this.#modules;
    const { header: headerBytes, body: certificateBytes } = decodeBlock(data, 64 * 1024);
    const { epoch, genesis, finalized } = ledger;
    const header = decodeHeader(headerBytes);
    if (header.chain === genesis.chain) this.#follow(header.epoch);
    if (header.epoch !== epoch.epoch || header.chain !== genesis.chain) return 'ignore';
    if (header.height <= finalized.header.height) return 'ignore';
    const certificate = decodeCertificate(certificateBytes, epoch.validators.length);
    if (certificate.kind !== 'finalize' || certificate.subject.blockId !== blockIdOfBytes(headerBytes)) return 'reject';
    if (!verifyCertificate(certificate, genesis.genesisHash, epoch.validators)) return 'reject';
    runtime().consensus.certificate(certificate);
    if (runtime().index === undefined) sync.catchUpTo(header.height);
    return 'accept';
  }
}
