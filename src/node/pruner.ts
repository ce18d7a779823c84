import { codeOf } from '../codec/error.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Retention } from '../ledger/prune.ts';
import type { Log } from './log.ts';
import type { Snapshots } from './snapshots.ts';

/**
 * Lets go of old blocks and entries in the background, a slice at a time, and gives their disk back. Local: no node relies on
 * another to keep what that one may drop, as long as each can begin from a snapshot.
 */
export type PrunerModules = {
  readonly ledger: Pick<Ledger, 'prune' | 'compactPruned' | 'floor'>;
  readonly snapshots: Pick<Snapshots, 'oldest' | 'busy'>;
  readonly catchingUp: () => boolean;
  readonly log: Log;
  readonly sleep: (ms: number) => Promise<void>;
};

/** Between slices: pruning takes a small part of the time, whatever there is to do. */
const restMs = 20;
/** Keys that are worth a compaction of their own; less goes with the next. */
const compactAfter = 20_000;

export class Pruner {
  readonly #retention: Retention;
  readonly #modules: PrunerModules;
  #running: Promise<void> | undefined;
  #removed = 0;
  #stopped = false;

  constructor(retention: Retention, modules: PrunerModules) {
    this.#retention = retention;
    this.#modules = modules;
  }

  /** Call every second or so. */
  tick(): void {
    if (this.#retention.blocks === 0 || this.#running !== undefined || this.#stopped) return;
    this.#running = this.#run()
      .catch((error: unknown) => {
        if (!this.#stopped) this.#modules.log.warn({ code: codeOf(error), error: String(error) }, 'pruning failed');
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  async #run(): Promise<void> {
    const { ledger, snapshots, catchingUp, log, sleep } = this.#modules;
    const { floor } = ledger;
    while (!this.#stopped && !catchingUp() && !snapshots.busy) {
      const removed = await ledger.prune(this.#retention, snapshots.oldest);
      if (removed === 0) break;
      this.#removed += removed;
      await sleep(restMs);
    }
    if (ledger.floor !== floor)
      log.debug({ fromHeight: ledger.floor.height, fromEntry: ledger.floor.entry }, 'old blocks let go');
    if (this.#stopped || this.#removed < compactAfter) return;
    this.#removed = 0;
    await ledger.compactPruned();
    log.info(
      { fromHeight: ledger.floor.height, fromEntry: ledger.floor.entry },
      'the disk of old blocks is given back',
    );
  }

  /** A compaction under way is the database's to end. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }
}
