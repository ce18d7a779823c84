/** Where lines go. One batch at a time; a sink that cannot take one throws, and the same batch is tried again. */
export type Sink = {
  readonly name: string;
  /**
   * NDJSON lines without their line ends. Resolves when they are as safe as this sink makes them: to how many of them it will never take, or
   * nothing where it took them all.
   */
  write(lines: readonly string[]): Promise<number | void>;
  close(): Promise<void>;
};

/** An address as it may be shown in names and messages: what may be a secret in it is left out. */
export function shownAddress(url: string): string {
  return url.replace(/^([a-z+]+:\/\/)?[^/?#@]*@/iu, '$1').replace(/[?#].*$/u, '');
}

export type QueueOptions = {
  /** Lines that wait. What comes above that is lost, the newest first, and counted. */
  readonly linesMax: number;
  readonly bytesMax: number;
  readonly batchMax: number;
  /** Between two tries of a batch: doubles from here to `retryMsMax`. */
  readonly retryMs: number;
  readonly retryMsMax: number;
};

export const defaultQueue: QueueOptions = {
  linesMax: 50_000,
  bytesMax: 16 * 1024 * 1024,
  batchMax: 512,
  retryMs: 200,
  retryMsMax: 10_000,
};

export type SinkCounters = {
  readonly written: number;
  readonly lost: number;
  readonly failures: number;
  readonly waiting: number;
  readonly waitingBytes: number;
};

/** Lines on their way to one sink: bounded, in order, never in the way of what is watched. */
export class SinkQueue {
  readonly #sink: Sink;
  readonly #options: QueueOptions;
  readonly #failed: (error: unknown) => void;
  #lines: string[] = [];
  #bytes = 0;
  #counters = { written: 0, lost: 0, failures: 0 };
  #running: Promise<void> | undefined;
  #closing = false;
  #wake: (() => void) | undefined;

  /** `failed` hears of each try that failed. */
  constructor(sink: Sink, options: QueueOptions = defaultQueue, failed: (error: unknown) => void = () => undefined) {
    this.#sink = sink;
    this.#options = options;
    this.#failed = failed;
  }

  get name(): string {
    return this.#sink.name;
  }

  get counters(): SinkCounters {
    return { ...this.#counters, waiting: this.#lines.length, waitingBytes: this.#bytes };
  }

  push(line: string): void {
    const { linesMax, bytesMax } = this.#options;
    if (this.#closing || this.#lines.length >= linesMax || this.#bytes + Buffer.byteLength(line) > bytesMax) {
      this.#counters.lost += 1;
      return;
    }
    this.#lines.push(line);
    this.#bytes += Buffer.byteLength(line);
    this.#running ??= this.#run();
  }

  /** Gives what waits one more try, at most `graceMs`; what is left then is lost and counted. */
  async close(graceMs: number): Promise<void> {
    this.#closing = true;
    this.#wake?.();
    if (this.#running !== undefined) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, graceMs);
      });
      await Promise.race([this.#running, late]);
      clearTimeout(timer);
    }
    this.#counters.lost += this.#lines.length;
    this.#lines = [];
    this.#bytes = 0;
    await this.#sink.close();
  }

  async #run(): Promise<void> {
    const { batchMax, retryMs, retryMsMax } = this.#options;
    let waitMs = retryMs;
    // What comes in this turn goes in one batch.
    await new Promise(setImmediate);
    let batch: readonly string[] = [];
    while (this.#lines.length > 0) {
      // After a failure the same again, whatever came meanwhile: a sink may have taken it, and know it by that.
      if (batch.length === 0) batch = this.#lines.slice(0, batchMax);
      let refused: number;
      try {
        refused = (await this.#sink.write(batch)) ?? 0;
      } catch (error) {
        this.#counters.failures += 1;
        this.#failed(error);
        if (this.#closing) break;
        await this.#pause(waitMs);
        waitMs = Math.min(2 * waitMs, retryMsMax);
        continue;
      }
      waitMs = retryMs;
      // `close` may have given up on them meanwhile.
      this.#lines = this.#lines.slice(batch.length);
      this.#bytes =
        this.#lines.length === 0 ? 0 : this.#bytes - batch.reduce((sum, line) => sum + Buffer.byteLength(line), 0);
      this.#counters.written += batch.length - refused;
      this.#counters.lost += refused;
      batch = [];
    }
    this.#running = undefined;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
