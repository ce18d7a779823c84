/** What it needs of a client's socket: a stream of `node:net` or `node:tls`. */
export type Corkable = { cork(): void; uncork(): void };

/** Milliseconds of one turn of the event loop that handing bytes to the system may take: some hundred sockets. */
const turnMs = 2;

/**
 * Answers and events for one socket that are made in one go (by one callback of the event loop, and the promises that it settles) leave
 * in one write: a write costs more than what it writes. They leave at its end: waiting for the end of the turn would gather little
 * more, and cost each answer a turn of the loop. A thousand sockets are written to in several turns, so that votes are heard in between.
 */
export class Outlet {
  /** Insertion order is the order of writing. */
  readonly #held = new Set<Corkable>();
  readonly #now: () => number;
  #scheduled = false;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** What is written to `socket` from here to the end of this callback leaves together. */
  hold(socket: Corkable): void {
    if (this.#held.has(socket)) return;
    this.#held.add(socket);
    socket.cork();
    if (this.#scheduled) return;
    this.#scheduled = true;
    process.nextTick(this.#turn);
  }

  readonly #turn = (): void => {
    const endMs = this.#now() + turnMs;
    for (const socket of this.#held) {
      this.#held.delete(socket);
      socket.uncork();
      if (this.#now() >= endMs) break;
    }
    this.#scheduled = this.#held.size > 0;
    if (this.#scheduled) setImmediate(this.#turn);
  };
}
