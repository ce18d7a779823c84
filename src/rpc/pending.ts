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
  readonly #rejects = new Set<(error: WeftError) => void>();
  readonly #ofClient = new Map<string, number>();
  #closed = false;

  constructor(max: number) {
    this.#max = max;
    this.#maxOfClient = Math.ceil(max / 4);
  }

  get size(): number {
    return this.#rejects.size;
  }

  /**
   * What `start` answers. What it answers at once was never pending.
   * @throws WeftError RPC_BUSY, RPC_SHUTTING_DOWN (both as rejections), or what `start` fails with
   */
  run<T>(client: string, start: () => Promise<T>): Promise<T>;
  run(client: string, start: () => unknown): unknown;
  run(client: string, start: () => unknown): unknown {
    if (this.#closed) return Promise.reject(shuttingDown());
    const ofClient = this.#ofClient.get(client) ?? 0;
    if (this.#rejects.size >= this.#max || ofClient >= this.#maxOfClient) {
      const whose = ofClient >= this.#maxOfClient ? 'of this client ' : '';
      const message = `this node is answering as many requests ${whose}as it may (${whose === '' ? this.#max : this.#maxOfClient}); try again shortly`;
      return Promise.reject(new WeftError('RPC_BUSY', message, { retryAfterMs: 500 }));
    }
    const answer = start();
    if (!(answer instanceof Promise)) return answer;
    this.#ofClient.set(client, (this.#ofClient.get(client) ?? 0) + 1);
    return new Promise((resolve, reject) => {
      this.#rejects.add(reject);
      answer.then(
        (value) => {
          this.#over(client, reject);
          resolve(value);
        },
        (error: unknown) => {
          this.#over(client, reject);
          reject(error);
        },
      );
    });
  }

  #over(client: string, reject: (error: WeftError) => void): void {
    this.#rejects.delete(reject);
    const left = (this.#ofClient.get(client) ?? 1) - 1;
    if (left === 0) this.#ofClient.delete(client);
    else this.#ofClient.set(client, left);
  }

  close(): void {
    this.#closed = true;
    for (const reject of this.#rejects) reject(shuttingDown());
    this.#rejects.clear();
  }
}

function shuttingDown(): WeftError {
  return new WeftError('RPC_SHUTTING_DOWN', 'this node is stopping; ask another, or this one again when it is back');
}
