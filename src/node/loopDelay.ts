/**
 * How late the event loop is: the delay of a timer, smoothed. Everything that this process does waits so long for its turn, a vote as well
 * as a request. Measured only while somebody asks, so that an idle node is woken by nothing.
 */

/** How the delay is sampled, and from where times come: for tests. */
export type LoopDelayModules = {
  readonly now: () => number;
  /** As `setInterval`, without keeping the process alive; answers what stops it. */
  readonly every: (run: () => void, ms: number) => () => void;
};

const everyMs = 20;
/** The mean forgets in about this time: one long turn (a collection, a compilation) is no overload. */
const smoothMs = 400;
/** Nobody asked for so long: no more measuring. */
const idleMs = 2000;

export class LoopDelay {
  readonly #modules: LoopDelayModules;
  #smooth = 0;
  #lastMs = 0;
  #askedMs = 0;
  #stop: (() => void) | undefined;

  constructor(modules: LoopDelayModules = { now: () => performance.now(), every: everyUnref }) {
    this.#modules = modules;
  }

  /** Milliseconds; 0 at first. Asking begins the measuring. */
  get ms(): number {
    const now = this.#modules.now();
    this.#askedMs = now;
    if (this.#stop === undefined) {
      this.#smooth = 0;
      this.#lastMs = now;
      this.#stop = this.#modules.every(() => this.#tick(), everyMs);
    }
    return this.#smooth;
  }

  /** The last known value, without measuring for it. */
  get lastMs(): number {
    return this.#stop === undefined ? 0 : this.#smooth;
  }

  close(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  #tick(): void {
    const now = this.#modules.now();
    const tookMs = now - this.#lastMs;
    this.#lastMs = now;
    const delay = Math.max(0, tookMs - everyMs);
    // A sample counts for the time that it stands for: late ones are few, and each was long.
    this.#smooth += (delay - this.#smooth) * (1 - Math.exp(-tookMs / smoothMs));
    if (now - this.#askedMs > idleMs) this.close();
  }
}

function everyUnref(run: () => void, ms: number): () => void {
  const timer = setInterval(run, ms);
  timer.unref();
  return () => clearInterval(timer);
}
