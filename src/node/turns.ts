/**
 * Work that peers cause, in turns: so much at once, so much for one peer, the others wait; who asks most waits longest. The
 * event loop gets a turn between one piece of work and the next.
 */

export type TurnsOptions = {
  /** Pieces under way at a time. */
  readonly atOnce: number;
  readonly perPeer: number;
  /** Pieces of one peer that wait, or their weight; what is above is not done. */
  readonly waitingMax: number;
};

type Queue = { readonly pieces: { readonly start: () => void; readonly weight: number }[]; weight: number };

export class Turns {
  readonly #options: TurnsOptions;
  /** Peers of whom something waits, in turn order. */
  readonly #waiting = new Map<string, Queue>();
  readonly #running = new Map<string, number>();
  #total = 0;
  #scheduled = false;
  /** Of whom something was done at once in this turn of the event loop: it counts as under way until the next. */
  readonly #over: string[] = [];
  #closed = false;
  /** Pieces of work that were not done, because too many of that peer waited. */
  dropped = 0;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  /** What `work` answers; undefined when too much of this peer waits already, or everything is over. Rejects as `work` throws or rejects. */
  take<Result>(peer: string, work: () => Result | Promise<Result>, weight = 1): Promise<Result | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    const queue = this.#waiting.get(peer) ?? { pieces: [], weight: 0 };
    if (queue.weight >= this.#options.waitingMax) {
      this.dropped += 1;
      return Promise.resolve(undefined);
    }
    return new Promise((resolve, reject) => {
      const start = (): void => {
        if (this.#closed) {
          resolve(undefined);
          return;
        }
        this.#began(peer);
        let result: Result | Promise<Result>;
        try {
          result = work();
        } catch (error) {
          this.#endedAtOnce(peer);
          reject(error);
          return;
        }
        if (!(result instanceof Promise)) {
          this.#endedAtOnce(peer);
          resolve(result);
          return;
        }
        result.then(
          (value) => {
            resolve(value);
            this.#ended(peer);
          },
          (error: unknown) => {
            reject(error);
            this.#ended(peer);
          },
        );
      };
      queue.pieces.push({ start, weight });
      queue.weight += weight;
      this.#waiting.set(peer, queue);
      if (!this.#scheduled) this.#next();
    });
  }

  /** What waits is answered with undefined; what is under way ends by itself. */
  close(): void {
    this.#closed = true;
    const queues = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { pieces } of queues) for (const { start } of pieces) start();
  }

  #began(peer: string): void {
    this.#total += 1;
    this.#running.set(peer, (this.#running.get(peer) ?? 0) + 1);
  }

  #endedAtOnce(peer: string): void {
    this.#over.push(peer);
    if (this.#over.length === 1) setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    for (const peer of this.#over) this.#release(peer);
    this.#over.length = 0;
    this.#next();
  };

  #release(peer: string): void {
    this.#total -= 1;
    const left = (this.#running.get(peer) ?? 1) - 1;
    if (left === 0) this.#running.delete(peer);
    else this.#running.set(peer, left);
  }

  #ended(peer: string): void {
    this.#release(peer);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#next();
    });
  }

  #next(): void {
    for (const [peer, queue] of this.#waiting) {
      if (this.#total >= this.#options.atOnce) return;
      if ((this.#running.get(peer) ?? 0) >= this.#options.perPeer) continue;
      const piece = queue.pieces.shift();
      // Who had a turn goes to the end.
      this.#waiting.delete(peer);
      if (queue.pieces.length > 0) this.#waiting.set(peer, queue);
      if (piece === undefined) continue;
      queue.weight -= piece.weight;
      piece.start();
    }
  }
}
