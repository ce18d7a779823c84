import { WeftError } from '../codec/error.ts';
import { diskError } from './diskError.ts';

/** What changes something on the disk, one after another, in the order of calls. */
export class Writes {
  /** The end of the queue. */
  #end: Promise<unknown> = Promise.resolve();
  #failure: WeftError | undefined;

  /** @throws what `work` throws; the failure of an earlier write, LEDGER_CLOSED */
  add<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#end.then(() => {
      if (this.#failure !== undefined) throw this.#failure;
      return work();
    });
    this.#end = done.catch(() => undefined);
    return done;
  }

  /**
   * The part of `work` that writes. After one that failed nobody knows what the disk holds: nothing more is written until a restart
   * reads it. @throws WeftError DISK_FULL, DISK_FAILED
   */
  async disk<Result>(write: () => Promise<Result>): Promise<Result> {
    try {
      return await write();
    } catch (error) {
      this.#failure = diskError('The store', error);
      throw this.#failure;
    }
  }

  /** Resolves when what is under way is over; nothing is added any more. */
  async close(): Promise<void> {
    await this.#end;
    this.#failure ??= new WeftError('LEDGER_CLOSED', 'The ledger is closed.');
  }
}
