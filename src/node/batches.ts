import { WeftError } from '../codec/error.ts';
import type { Network } from '../net/types.ts';
import type { Admission } from './admission.ts';
import { decodeEnvelopes, decodeNumbers, encodeNumbers, frameKinds } from './wire.ts';

/**
 * Batches of transactions that peers send (spread.ts), and one answer for several of them: how many bytes have been looked at since the
 * answer before. Who gets no answers sends no more: that is the back-pressure.
 */
export type BatchesModules = {
  readonly admission: Pick<Admission, 'receive'>;
  readonly network: () => Pick<Network, 'send'>;
};

const batchLimits = { bytesMax: 256 * 1024, countMax: 2048, views: true } as const;
/** Told at once, and else so long after the first that was not told: senders have four times that on the way. */
const tellBytes = 64 * 1024;
const tellMs = 100;

type Looked = { bytes: number; timer: NodeJS.Timeout | undefined };

export class Batches {
  readonly #modules: BatchesModules;
  readonly #looked = new Map<string, Looked>();
  #closed = false;

  constructor(modules: BatchesModules) {
    this.#modules = modules;
  }

  /** A batch, which is judged later. @throws WeftError MESSAGE_MALFORMED, CBOR_*: no honest node sent it */
  receive(peer: string, payload: Uint8Array): void {
    if (payload.length > batchLimits.bytesMax) throw new WeftError('MESSAGE_MALFORMED', 'a batch above its bound');
    // One copy of all: what is taken in gets one of its own, and most of what comes twice is not.
    const envelopes = decodeEnvelopes(new Uint8Array(payload), batchLimits);
    const looked = (): void => this.#count(peer, payload.length);
    this.#modules.admission.receive(peer, envelopes).then(looked, looked);
  }

  forget(peer: string): void {
    clearTimeout(this.#looked.get(peer)?.timer);
    this.#looked.delete(peer);
  }

  close(): void {
    this.#closed = true;
    for (const peer of this.#looked.keys()) this.forget(peer);
  }

  #count(peer: string, bytes: number): void {
    if (this.#closed) return;
    let looked = this.#looked.get(peer);
    if (looked === undefined) {
      looked = { bytes: 0, timer: undefined };
      this.#looked.set(peer, looked);
    }
    looked.bytes += bytes;
    if (looked.bytes >= tellBytes) this.#tell(peer, looked);
    else looked.timer ??= setTimeout(() => this.#tell(peer, looked), tellMs);
  }

  #tell(peer: string, looked: Looked): void {
    clearTimeout(looked.timer);
    looked.timer = undefined;
    this.#modules.network().send(peer, 'bulk', frameKinds.taken, encodeNumbers(looked.bytes), { class: 'other' });
    looked.bytes = 0;
  }
}

/** Bytes that a peer has looked at. @throws WeftError MESSAGE_MALFORMED, CBOR_* */
export function decodeTaken(payload: Uint8Array): number {
  const [bytes = 0] = decodeNumbers(payload, 1);
  return bytes;
}
