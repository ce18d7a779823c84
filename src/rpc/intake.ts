/** A client's connection, as far as its messages are concerned. */
export type Talker = {
  /** Works on one message. Must not throw. */
  take(message: Uint8Array): void;
  /** Nothing more is read of this client; what it sends waits on its side of the network. */
  pause(): void;
  resume(): void;
};

/** Milliseconds of one turn of the event loop that messages of clients may take. */
const turnMs = 2;

/**
 * Messages of clients, in small turns: a socket that is full brings two megabytes at once, and thousands of requests in them, while votes and
 * proposals of other validators wait in theirs. What is above a turn's share waits here for the next ones, a message of each client in
 * rotation, and nothing more is read of a client while something of it waits: so what waits is bounded by what one read brings.
 */
export class Intake {
  readonly #now: () => number;
  /** Messages of those who wait, in the order of their turns. */
  readonly #waiting = new Map<Talker, Uint8Array[]>();
  #endMs = 0;
  #scheduled = false;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Clients of whom something waits. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Works on a message now, when this turn has room, else in a later one; a client's messages stay in order. */
  offer(talker: Talker, message: Uint8Array): void {
    if (!this.#scheduled) {
      this.#scheduled = true;
      this.#endMs = this.#now() + turnMs;
      setImmediate(this.#turn);
    }
    const queue = this.#waiting.get(talker);
    if (queue !== undefined) queue.push(message);
    else if (this.#waiting.size === 0 && this.#now() < this.#endMs) talker.take(message);
    else {
      this.#waiting.set(talker, [message]);
      talker.pause();
    }
  }

  /** Forgets what waits of a client that has gone. */
  drop(talker: Talker): void {
    this.#waiting.delete(talker);
  }

  readonly #turn = (): void => {
    this.#scheduled = this.#waiting.size > 0;
    if (!this.#scheduled) return;
    setImmediate(this.#turn);
    this.#endMs = this.#now() + turnMs;
    for (const [talker, queue] of this.#waiting) {
      const message = queue.shift();
      // Who had a turn goes to the end.
      this.#waiting.delete(talker);
      if (queue.length > 0) this.#waiting.set(talker, queue);
      if (message !== undefined) talker.take(message);
      if (queue.length === 0) talker.resume();
      if (this.#now() >= this.#endMs) return;
    }
  };
}
