import { performance } from 'node:perf_hooks';
import { WebSocket } from 'ws';
import type { Signed } from './signer.ts';

/**
 * An open loop: each transaction is due at a fixed moment, whatever became of those before it, and its latency counts from
 * that moment. So a network that falls behind cannot slow down its own measurement (coordinated omission).
 */

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

/** A finalized block as one validator's subscription told of it. */
export type SeenBlock = {
  readonly height: number;
  readonly view: number;
  readonly transactions: number;
  readonly logSize: number;
  readonly atMs: number;
};

/** Requests on one socket that a node answers at one time are bounded (256): an overloaded one has room on several. */
const socketsPerValidator = 4;

/** Connections to every validator: some to submit on, and one that hears of blocks. */
export class Load {
  readonly #submit: readonly (readonly WebSocket[])[];
  readonly #listen: readonly WebSocket[];
  /** By validator, ascending. */
  readonly blocks: SeenBlock[][];
  #waiting = new Map<number, Sent>();
  #nextId = 1;

  private constructor(submit: readonly (readonly WebSocket[])[], listen: readonly WebSocket[]) {
    this.#submit = submit;
    this.#listen = listen;
    this.blocks = listen.map(() => []);
    for (const socket of submit.flat()) socket.on('message', (data) => this.#answered(String(data)));
    for (const [i, socket] of listen.entries()) {
      socket.on('message', (data) => this.#heard(i, String(data)));
      socket.send('{"jsonrpc":"2.0","id":0,"method":"subscribe","params":{"topic":"blocks"}}');
    }
  }

  static async open(rpc: readonly string[]): Promise<Load> {
    const open = (url: string): Promise<WebSocket> =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/ws`, { perMessageDeflate: false });
        socket.once('open', () => resolve(socket));
        socket.once('error', reject);
      });
    const submit = await Promise.all(
      rpc.map((url) => Promise.all(Array.from({ length: socketsPerValidator }, () => open(url)))),
    );
    return new Load(submit, await Promise.all(rpc.map(open)));
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
          const validator = sent.length % this.#submit.length;
          sent.push(this.#send(next, validator, dueMs));
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
    for (const socket of [...this.#submit.flat(), ...this.#listen]) socket.terminate();
  }

  #send({ envelopeId, request }: Signed, validator: number, dueMs: number): Sent {
    const id = this.#nextId++;
    const sockets = this.#submit[validator] ?? [];
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
    const answer = JSON.parse(text) as { id?: number; error?: { data?: { code?: string } } };
    const each = answer.id === undefined ? undefined : this.#waiting.get(answer.id);
    if (each === undefined || answer.id === undefined) return;
    this.#waiting.delete(answer.id);
    each.answeredMs = performance.now();
    if (answer.error !== undefined) each.refused = answer.error.data?.code ?? 'UNKNOWN';
  }

  #heard(validator: number, text: string): void {
    const atMs = performance.now();
    const { params } = JSON.parse(text) as { params?: { event?: { block?: Omit<SeenBlock, 'atMs'> } } };
    const block = params?.event?.block;
    if (block === undefined) return;
    const { height, view, transactions, logSize } = block;
    this.blocks[validator]?.push({ height, view, transactions, logSize, atMs });
  }
}
