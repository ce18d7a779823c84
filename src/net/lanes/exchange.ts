import { WeftError } from '../../codec/error.ts';
import type { NetworkLimits } from '../types.ts';
import {
  type AnswerStatus,
  absent,
  answered,
  answerKind,
  busy,
  decodeAnswer,
  decodeRequest,
  encodeAnswer,
  encodeRequest,
  ownerKindMax,
  requestKind,
} from './frame.ts';
import type { LaneLink } from './link.ts';
import { failure, Requests } from './requests.ts';

/** Questions and answers on the bulk lanes: both sides of them, bounded on both. */
export type ExchangeModules = {
  readonly bulk: (peer: string) => LaneLink | undefined;
  /** The owner's answer. May throw or reject. */
  readonly serve: (peer: string, kind: number, payload: Uint8Array) => Promise<Uint8Array | undefined>;
  readonly onServeFailed: (error: unknown) => void;
};

const nothing = new Uint8Array(0);

export class Exchange {
  readonly #limits: NetworkLimits;
  readonly #modules: ExchangeModules;
  readonly #requests: Requests;
  /** Requests that we work on, per peer. */
  readonly #serving = new Map<string, number>();
  readonly #stats = { sent: 0, answered: 0, failed: 0, served: 0, busy: 0 };
  #closed = false;

  constructor(limits: NetworkLimits, modules: ExchangeModules) {
    this.#limits = limits;
    this.#modules = modules;
    this.#requests = new Requests(limits.requestsInFlightMax);
  }

  stats(): { sent: number; answered: number; failed: number; served: number; busy: number } {
    return { ...this.#stats };
  }

  async ask(peer: string, kind: number, payload: Uint8Array, timeoutMs: number): Promise<Uint8Array | undefined> {
    this.#stats.sent++;
    try {
      if (this.#closed) throw failure('NET_CLOSED', peer, 'the network is closed');
      if (payload.length > this.#limits.requestBytesMax || !(kind >= 0 && kind <= ownerKindMax)) {
        throw failure(
          'NET_MESSAGE_TOO_LARGE',
          peer,
          `payload above ${this.#limits.requestBytesMax} bytes; ask for less`,
        );
      }
      const link = this.#modules.bulk(peer);
      if (link === undefined) throw failure('NET_NO_LANE', peer, 'no open bulk lane; ask another peer');
      const answer = await this.#requests.ask(peer, timeoutMs, (id) =>
        link.send(requestKind, encodeRequest({ id, kind, payload })),
      );
      this.#stats.answered++;
      return answer;
    } catch (error) {
      this.#stats.failed++;
      throw error;
    }
  }

  /** A request of the peer's. False = no honest node sends this. */
  onRequest(peer: string, bytes: Uint8Array): boolean {
    const request = decodeRequest(bytes);
    if (request === undefined || request.payload.length > this.#limits.requestBytesMax) return false;
    const serving = this.#serving.get(peer) ?? 0;
    if (serving >= this.#limits.answersInFlightMax) {
      this.#busy(peer, request.id);
      return true;
    }
    this.#serving.set(peer, serving + 1);
    void this.#serve(peer, request.kind, request.payload).then((answer) => {
      const left = (this.#serving.get(peer) ?? 1) - 1;
      if (left === 0) this.#serving.delete(peer);
      else this.#serving.set(peer, left);
      if (answer === undefined) return this.#reply(peer, request.id, absent, nothing);
      // An answer that overflows the queue would displace others: better to say at once that it must be asked for again.
      const queued = this.#modules.bulk(peer)?.queuedBytes ?? 0;
      if (queued + answer.length > this.#limits.queueBytesMax) return this.#busy(peer, request.id);
      this.#stats.served++;
      return this.#reply(peer, request.id, answered, answer);
    });
    return true;
  }

  /** The budget does not allow to work on it; its sender should know at once. */
  refuse(peer: string, bytes: Uint8Array): void {
    const request = decodeRequest(bytes);
    if (request !== undefined) this.#busy(peer, request.id);
  }

  /** `late`: well-formed, but nobody waits for it. */
  onAnswer(peer: string, bytes: Uint8Array): 'taken' | 'late' | 'malformed' {
    const answer = decodeAnswer(bytes);
    if (answer === undefined) return 'malformed';
    return this.#requests.answer(peer, answer) ? 'taken' : 'late';
  }

  lost(peer: string): void {
    this.#requests.lost(peer);
  }

  close(): void {
    this.#closed = true;
    this.#requests.close();
  }

  #busy(peer: string, id: number): void {
    this.#stats.busy++;
    this.#reply(peer, id, busy, nothing);
  }

  /** Through the lane that is open now: the answer finds its request by number. */
  #reply(peer: string, id: number, status: AnswerStatus, payload: Uint8Array): void {
    this.#modules.bulk(peer)?.send(answerKind, encodeAnswer({ id, status, payload }));
  }

  async #serve(peer: string, kind: number, payload: Uint8Array): Promise<Uint8Array | undefined> {
    try {
      const answer = await this.#modules.serve(peer, kind, payload);
      if (answer === undefined || answer.length <= this.#limits.answerBytesMax) return answer;
      throw new WeftError('NET_MESSAGE_TOO_LARGE', `answer of ${answer.length} bytes is above answerBytesMax`);
    } catch (error) {
      this.#modules.onServeFailed(error);
      return undefined;
    }
  }
}
