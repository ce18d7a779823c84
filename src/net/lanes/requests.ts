import { WeftError } from '../../codec/error.ts';
import { type Answer, absent, busy } from './frame.ts';

/**
 * Our requests that wait for an answer. Correlated by a number of ours; bounded per peer; each ends exactly once: by its
 * answer, its time, the loss of the lane or the end of the network.
 */
type Waiting = {
  readonly peer: string;
  readonly resolve: (payload: Uint8Array | undefined) => void;
  readonly reject: (error: WeftError) => void;
  readonly timer: NodeJS.Timeout;
};

export class Requests {
  readonly #inFlightMax: number;
  readonly #waiting = new Map<number, Waiting>();
  readonly #perPeer = new Map<string, number>();
  #nextId = 1;

  /** `inFlightMax`: per peer. */
  constructor(inFlightMax: number) {
    this.#inFlightMax = inFlightMax;
  }

  /** `transmit` sends the request under the id and says whether it was taken. */
  ask(peer: string, timeoutMs: number, transmit: (id: number) => boolean): Promise<Uint8Array | undefined> {
    const inFlight = this.#perPeer.get(peer) ?? 0;
    if (inFlight >= this.#inFlightMax) {
      return Promise.reject(failure('NET_BUSY', peer, `${inFlight} requests to it are under way; wait for one to end`));
    }
    const id = this.#nextId;
    this.#nextId = this.#nextId === 0xffffffff ? 1 : this.#nextId + 1;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array | undefined>();
    const timer = setTimeout(() => {
      this.#take(id)?.reject(failure('NET_TIMEOUT', peer, `no answer within ${timeoutMs} ms; ask another peer`));
    }, timeoutMs);
    this.#waiting.set(id, { peer, resolve, reject, timer });
    this.#perPeer.set(peer, inFlight + 1);
    if (!transmit(id))
      this.#take(id)?.reject(failure('NET_NO_LANE', peer, 'its bulk lane takes nothing now; ask another peer'));
    return promise;
  }

  /** False when nobody here waits for it (it came too late, or nobody asked). */
  answer(peer: string, answer: Answer): boolean {
    if (this.#waiting.get(answer.id)?.peer !== peer) return false;
    const waiting = this.#take(answer.id);
    if (waiting === undefined) return false;
    if (answer.status === busy)
      waiting.reject(failure('NET_BUSY', peer, 'it has too much to do; ask another peer or later'));
    else waiting.resolve(answer.status === absent ? undefined : answer.payload);
    return true;
  }

  lost(peer: string): void {
    for (const [id, waiting] of this.#waiting) {
      if (waiting.peer === peer)
        this.#take(id)?.reject(failure('NET_NO_LANE', peer, 'its bulk lane was lost; ask another peer'));
    }
  }

  close(): void {
    for (const [id, { peer }] of this.#waiting)
      this.#take(id)?.reject(failure('NET_CLOSED', peer, 'the network is closed'));
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return undefined;
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    const left = (this.#perPeer.get(waiting.peer) ?? 1) - 1;
    if (left === 0) this.#perPeer.delete(waiting.peer);
    else this.#perPeer.set(waiting.peer, left);
    return waiting;
  }
}

export function failure(code: string, peer: string, why: string): WeftError {
  return new WeftError(code, `request to ${peer} failed: ${why}`, { peer });
}
