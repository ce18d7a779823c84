import { performance } from 'node:perf_hooks';
import { WebSocket } from 'ws';

/** One transaction of a run. Milliseconds of `performance.now()`. */
export type Sent = {
  readonly envelopeId: string;
  /** Index of the validator that it was given to. */
  readonly validator: number;
  readonly dueMs: number;
  sentMs: number;
  /** NaN until the validator answered. */
  answeredMs: number;
  /** Code of the refusal; empty when it was admitted. */
  refused: string;
};

/** `request`: the JSON-RPC message without its id, which comes last. */
export type Signed = { readonly envelopeId: string; readonly request: string };

/** Requests on one socket that a node answers at one time are bounded (256): an overloaded one has room on several. */
const socketsPerValidator = 4;

export function openSocket(url: string): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    socket.once('open', () => resolve(socket));
    socket.once('error', reject);
  });
}

/** Sends transactions over WebSockets in an open loop, the same for every engine that is measured. */
export class Submitter {
  readonly #sockets: readonly (readonly WebSocket[])[];
  readonly #refusalOf: (answer: object) => string;
  readonly #waiting = new Map<number, Sent>();
  #nextId = 1;

  private constructor(sockets: readonly (readonly WebSocket[])[], refusalOf: (answer: object) => string) {
    this.#sockets = sockets;
    this.#refusalOf = refusalOf;
    for (const socket of sockets.flat()) socket.on('message', (data) => this.#answered(String(data)));
  }

  /** `urls`: one a validator. `refusalOf`: the code in an answer, '' for one that admits. */
  static async open(urls: readonly string[], refusalOf: (answer: object) => string): Promise<Submitter> {
    const open = (url: string) => Promise.all(Array.from({ length: socketsPerValidator }, () => openSocket(url)));
    return new Submitter(await Promise.all(urls.map(open)), refusalOf);
  }

  /** Sends `signed` at `rate` per second, to the validators in turn. Resolves once the last one was sent. */
  run(signed: readonly Signed[], rate: number): Promise<Sent[]> {
    const sent: Sent[] = [];
    const startMs = performance.now() + 5;
    return new Promise((resolve) => {
      const turn = (): void => {
        const nowMs = performance.now();
        for (let next = signed[sent.length]; next !== undefined; next = signed[sent.length]) {
          const dueMs = startMs + (sent.length * 1000) / rate;
          if (dueMs > nowMs) break;
          sent.push(this.#send(next, sent.length % this.#sockets.length, dueMs));
        }
        if (sent.length < signed.length) setTimeout(turn, 1);
        else resolve(sent);
      };
      turn();
    });
  }

  /** Transactions that no validator has answered yet. */
  get unanswered(): number {
    return this.#waiting.size;
  }

  close(): void {
    for (const socket of this.#sockets.flat()) socket.terminate();
  }

  #send({ envelopeId, request }: Signed, validator: number, dueMs: number): Sent {
    const id = this.#nextId++;
    const sockets = this.#sockets[validator] ?? [];
    const each: Sent = {
      envelopeId,
      validator,
      dueMs,
      sentMs: performance.now(),
      answeredMs: Number.NaN,
      refused: '',
    };
    this.#waiting.set(id, each);
    sockets[id % sockets.length]?.send(`${request}${id}}`);
    return each;
  }

  #answered(text: string): void {
    const answer = JSON.parse(text) as { id?: number };
    const each = answer.id === undefined ? undefined : this.#waiting.get(answer.id);
    if (each === undefined || answer.id === undefined) return;
    this.#waiting.delete(answer.id);
    each.answeredMs = performance.now();
    each.refused = this.#refusalOf(answer);
  }
}
