import { WeftError } from '../codec/error.ts';

/**
 * Requests being answered. Bounded in all and for each client, so that one client's waits leave room for others; ended
 * all at once when the server closes, so that a client that waits for a transaction learns within the stop that it must
 * ask another node.
 */
export class Pending {
  readonly #max: number;
  /** A quarter: filling the server takes four clients. */
  readonly #maxOfClient: number;
  /** Each ends one of them with an error. */
  readonly #cuts = new Set<(error: WeftError) => void>();
  readonly #ofClient = new Map<string, number>();
  #closed = false;

  constructor(max: number) {
    this.#max = max;
    this.#maxOfClient = Math.ceil(max / 4);
  }

  get size(): number {
    return this.#cuts.size;
  }

  /**
   * What `start` answers. What it answers at once was never pending. `ended` is called before a promise settles, with what it rejects with.
   * @throws WeftError RPC_BUSY, RPC_SHUTTING_DOWN (both as rejections), or what `start` fails with
   */
  run<T>(client: string, start: () => Promise<T>, ended?: (error?: unknown) => void): Promise<T>;
  run(client: string, start: () => unknown, ended?: (error?: unknown) => void): unknown;
  run(client: string, start: () => unknown, ended?: (error?: unknown) => void): unknown {
    const refused = this.#refusal(client);
    if (refused !== undefined) {
      ended?.(refused);
      return Promise.reject(refused);
    }
    const answer = start();
    if (!(answer instanceof Promise)) return answer;
    this.#ofClient.set(client, (this.#ofClient.get(client) ?? 0) + 1);
    return new Promise((resolve, reject) => {
      const cut = (error: WeftError): void => {
        ended?.(error);
        reject(error);
      };
      this.#cuts.add(cut);
      answer.then(
        (value) => {
          if (!this.#over(client, cut)) return;
          ended?.();
          resolve(value);
        },
        (error: unknown) => {
          if (!this.#over(client, cut)) return;
          ended?.(error);
          reject(error);
        },
      );
    });
  }

  #refusal(client: string): WeftError | undefined {
    if (this.#closed) return shuttingDown();
    const ofClient = this.#ofClient.get(client) ?? 0;
    if (this.#cuts.size < this.#max && ofClient < this.#maxOfClient) return undefined;
    const whose = ofClient >= this.#maxOfClient ? 'of this client ' : '';
    const message = `this node is answering as many requests ${whose}as it may (${whose === '' ? this.#max : this.#maxOfClient}); try again shortly`;
    return new WeftError('RPC_BUSY', message, { retryAfterMs: 500 });
  }

  /** False: it was cut off before. */
  #over(client: string, cut: (error: WeftError) => void): boolean {
    const left = (this.#ofClient.get(client) ?? 1) - 1;
    if (left === 0) this.#ofClient.delete(client);
    else this.#ofClient.set(client, left);
    return this.#cuts.delete(cut);
  }

  close(): void {
    this.#closed = true;
    const cuts = [...this.#cuts];
    this.#cuts.clear();
    for (const cut of cuts) cut(shuttingDown());
  }
}

function shuttingDown(): WeftError {
  return new WeftError('RPC_SHUTTING_DOWN', 'this node is stopping; ask another, or this one again when it is back');
}
