import { type Header, isClosing } from '../ledger/header.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { CommittedBlock } from '../ledger/types.ts';
import type { Closing } from './closing.ts';
import type { EpochRuntime } from './epochRuntime.ts';

/**
 * Holds the runtime of the epoch that the ledger is in, and changes it when a closing block is final (W10): the old engine has
 * stopped, and what this node cosigns of the old epoch is signed, before anything of the new one begins. One change at a time.
 *
 * A crash at any point is harmless: the closing block is durable before the change begins, so a restart begins in the new epoch,
 * with the old journal, which it puts aside (Consensus: a journal of another epoch is never gone on with).
 */
export type EpochsModules = {
  readonly ledger: Pick<Ledger, 'epoch'>;
  readonly closing: Pick<Closing, 'start' | 'closed' | 'settled' | 'stop'>;
  /** For the epoch that the ledger is in now. */
  readonly makeRuntime: () => EpochRuntime;
  /** The new runtime is in place and has not begun: who may connect, what waits in the mempool. */
  readonly entered: (now: EpochRuntime) => void;
  readonly failed: (error: unknown) => void;
};

export class Epochs {
  readonly #modules: EpochsModules;
  #current: EpochRuntime;
  /** The end of the queue of starts and changes. */
  #turn: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(modules: EpochsModules) {
    this.#modules = modules;
    this.#current = modules.makeRuntime();
  }

  get current(): EpochRuntime {
    return this.#current;
  }

  /** Resolves when the present engine runs. */
  start(): Promise<void> {
    const started = this.#turn.then(async () => {
      await this.#modules.closing.start();
      await this.#current.start();
    });
    this.#turn = started.catch(() => undefined);
    return started;
  }

  /** This block is durable. */
  committed(block: CommittedBlock): void {
    const { header } = block;
    // One of an epoch whose runtime is on its way: its cosigner begins with the newest block.
    if (header.epoch === this.#current.epoch.epoch) this.#current.committed(block);
    if (isClosing(header)) this.#closed(header);
  }

  /** Resolves when the runtime is that of the ledger's epoch. */
  follow(): Promise<void> {
    if (!this.#stopped && this.#current.epoch.epoch !== this.#modules.ledger.epoch.epoch)
      this.#turn = this.#turn.then(() => this.#change()).catch((error: unknown) => this.#modules.failed(error));
    return this.#turn;
  }

  /** No vote, no block, no checkpoint from here on. Resolves when what is being written is. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([this.#current.stop(), this.#modules.closing.stop()]);
    await this.#turn;
  }

  #closed(header: Header): void {
    const { current } = this;
    const lines = header.epoch === current.epoch.epoch ? current.cosigner.linesOf(header.logSize) : [];
    this.#modules.closing.closed(header, lines);
  }

  async #change(): Promise<void> {
    const { ledger, closing, makeRuntime, entered } = this.#modules;
    while (!this.#stopped && this.#current.epoch.epoch !== ledger.epoch.epoch) {
      const before = this.#current;
      await before.stop();
      // What was collected while the engine came to rest; and nothing larger is signed before the closing block is.
      await closing.settled();
      if (this.#stopped) return;
      const next = makeRuntime();
      const { published, publishedSize } = before.cosigner;
      if (published !== undefined) next.restore(published, publishedSize);
      this.#current = next;
      entered(next);
      // This build may not be able to go on.
      if (this.#stopped) return;
      await next.start();
    }
  }
}
