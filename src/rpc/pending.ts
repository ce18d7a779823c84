import { WeftError } from '../codec/error.ts';

/**
 * Requests being answered. Bounded, and ended all at once when the server closes, so that a client that waits for a
 * transaction learns within the stop that it must ask another node.
 */
export class Pending {
  readonly #max: number;
  readonly #rejects = new Set<(error: WeftError) => void>();
  #closed = false;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#rejects.size;
  }

  /** @throws WeftError RPC_BUSY, RPC_SHUTTING_DOWN, or what `start` fails with */
  run<T>(start: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(shuttingDown());
    if (this.#rejects.size >= this.#max) {
      return Promise.reject(
        new WeftError('RPC_BUSY', `this node is answering ${this.#max} requests already; try again shortly`, {
          retryAfterMs: 500,
        }),
      );
    }
    return new Promise<T>((resolve, reject) => {
      this.#rejects.add(reject);
      start()
        .then(resolve, reject)
        .finally(() => this.#rejects.delete(reject));
    });
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
