import { WeftError } from '../codec/error.ts';
import type { Files } from '../ledger/files.ts';
import type { Log } from './log.ts';
import { isLasting, writeStopMark } from './stopMark.ts';

/** What stops a node for good, or until its data folder is opened anew: it answers questions about the past, and adds nothing. */
export type FailureModules = {
  readonly data: string;
  readonly files: Files | undefined;
  readonly height: () => number;
  /** Ends all work. */
  readonly stopped: (code: string) => void;
  readonly log: Log;
  readonly wallMs: () => number;
};

export class Failure {
  readonly #modules: FailureModules;
  /** '' while there is none. The first cause is the one to look at. */
  #code: string;

  /** `code`: for which an earlier life of this node stopped for good. */
  constructor(code: string, modules: FailureModules) {
    this.#code = code;
    this.#modules = modules;
  }

  get code(): string {
    return this.#code;
  }

  /** A disk without room passes: whoever restarts what is not healthy would only take the answers away. */
  get healthy(): boolean {
    return this.#code === '' || this.#code.startsWith('DISK_');
  }

  /** What this node holds or says next cannot be trusted. */
  fail(code: string, detail: string): void {
    if (this.#code !== '') return;
    this.#code = code;
    this.#keep(code, detail);
    this.#modules.stopped(code);
  }

  /** @throws WeftError NODE_STOPPED: what would be taken now could enter no block through this node */
  checkTakes(): void {
    if (this.#code === '') return;
    throw new WeftError(
      'NODE_STOPPED',
      `this node has stopped (${this.#code}) and takes no transactions; ask another one`,
      { reason: this.#code, retryAfterMs: 5000 },
    );
  }

  #keep(code: string, detail: string): void {
    if (!isLasting(code)) return;
    const { data, files, height, log, wallMs } = this.#modules;
    writeStopMark(data, { code, detail, height: height(), time: wallMs() }, files).catch((error: unknown) => {
      log.error({ error: String(error) }, 'why this node stopped could not be stored');
    });
  }
}
