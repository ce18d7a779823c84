import { performance } from 'node:perf_hooks';
import type { WebSocket } from 'ws';
import { openSocket, type Sent, type Signed, Submitter } from './submitter.ts';

export type { Sent };

/**
 * An open loop: each transaction is due at a fixed moment, whatever became of those before it, and its latency counts from
 * that moment. So a network that falls behind cannot slow down its own measurement (coordinated omission).
 */

/** A finalized block as one validator's subscription told of it. */
export type SeenBlock = {
  readonly height: number;
  readonly view: number;
  readonly transactions: number;
  readonly logSize: number;
  readonly atMs: number;
  /** From the block's own time, by the clock on the wall: all processes here have the same. */
  readonly tookMs: number;
};

type ToldBlock = Omit<SeenBlock, 'atMs' | 'tookMs'> & { readonly time: number };

/** Connections to every validator: some to submit on, and one that hears of blocks. */
export class Load {
  readonly #submitter: Submitter;
  readonly #listen: readonly WebSocket[];
  /** By validator, ascending. */
  readonly blocks: SeenBlock[][];

  private constructor(submitter: Submitter, listen: readonly WebSocket[]) {
    this.#submitter = submitter;
    this.#listen = listen;
    this.blocks = listen.map(() => []);
    for (const [i, socket] of listen.entries()) {
      socket.on('message', (data) => this.#heard(i, String(data)));
      socket.send('{"jsonrpc":"2.0","id":0,"method":"subscribe","params":{"topic":"blocks"}}');
    }
  }

  static async open(rpc: readonly string[]): Promise<Load> {
    const urls = rpc.map((url) => `${url.replace(/^http/, 'ws')}/ws`);
    const submitter = await Submitter.open(urls, (answer) => {
      const { error } = answer as { error?: { data?: { code?: string } } };
      return error === undefined ? '' : (error.data?.code ?? 'UNKNOWN');
    });
    return new Load(submitter, await Promise.all(urls.map(openSocket)));
  }

  /** As `Submitter.run`. */
  run(signed: readonly Signed[], rate: number): Promise<Sent[]> {
    return this.#submitter.run(signed, rate);
  }

  get unanswered(): number {
    return this.#submitter.unanswered;
  }

  close(): void {
    this.#submitter.close();
    for (const socket of this.#listen) socket.terminate();
  }

  #heard(validator: number, text: string): void {
    const atMs = performance.now();
    const wallMs = Date.now();
    const { params } = JSON.parse(text) as { params?: { event?: { block?: ToldBlock } } };
    const block = params?.event?.block;
    if (block === undefined) return;
    const { height, view, transactions, logSize, time } = block;
    this.blocks[validator]?.push({ height, view, transactions, logSize, atMs, tookMs: wallMs - time });
  }
}
