/**
 * A record is heard of before the checkpoint that proves it is everywhere: who asks once, at once, may be told that the grant still
 * stands. So what may have been taken back is asked about again and again for a second, and then left to the renewal of leases.
 */
export type RecheckHooks = {
  /** Asks about one route; false when it is not open (any more). Must not reject. */
  readonly one: (grant: string) => Promise<boolean>;
  /** Asks about all that are open. */
  readonly all: () => void;
};

/** Pauses before each question. The checkpoint that proves a record is some hundredths of a second behind it. */
const oneAfterMs = [0, 20, 30, 50, 150, 250, 500];
const allAtMs = [0, 100, 250, 500, 1000];
/** Routes asked about one by one at a time; more are asked about all together. */
export const rechecksMax = 64;

export class Rechecks {
  readonly #hooks: RecheckHooks;
  readonly #running = new Map<string, { again: boolean }>();
  #allAgain = false;
  #timers: readonly NodeJS.Timeout[] = [];
  #closed = false;

  constructor(hooks: RecheckHooks) {
    this.#hooks = hooks;
  }

  /** Routes that are asked about one by one now. */
  get running(): number {
    return this.#running.size;
  }

  /** Every one of them may have been taken back. */
  all(): void {
    if (this.#closed) return;
    // What comes while they are asked about may come after the last question: then they are asked about once more.
    if (this.#timers.length > 0) {
      this.#allAgain = true;
      return;
    }
    this.#allAgain = false;
    const last = allAtMs.length - 1;
    this.#timers = allAtMs.map((ms, n) =>
      setTimeout(() => {
        this.#hooks.all();
        if (n < last) return;
        this.#timers = [];
        if (this.#allAgain) this.all();
      }, ms),
    );
  }

  /** This one may have been taken back. */
  one(grant: string): void {
    const running = this.#running.get(grant);
    if (running !== undefined) running.again = true;
    else if (this.#running.size >= rechecksMax) this.all();
    else void this.#run(grant);
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
  }

  async #run(grant: string): Promise<void> {
    const run = { again: true };
    this.#running.set(grant, run);
    while (run.again) {
      run.again = false;
      for (const ms of oneAfterMs) {
        if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms).unref());
        if (this.#closed || !(await this.#hooks.one(grant))) {
          run.again = false;
          break;
        }
      }
    }
    this.#running.delete(grant);
  }
}
