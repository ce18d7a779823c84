import { codeOf, WeftError } from '../codec/error.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { dropIncoming } from '../ledger/replaceStore.ts';
import type { Log } from './log.ts';
import type { Requests } from './requests.ts';
import { fetchSnapshot } from './snapshotFetch.ts';
import { SnapshotRefusals } from './snapshotRefusals.ts';
import type { Snapshots } from './snapshots.ts';

/**
 * The way back for a node whose peers have let go of the blocks that it needs, or that is told to begin from a snapshot
 * (`weft start --snapshot`): gets one from its peers while it runs, and has the data folder opened anew on what was loaded.
 */
export type SnapshotCatchUpModules = {
  readonly ledger: Pick<Ledger, 'genesis' | 'finalized'>;
  readonly snapshots: Pick<Snapshots, 'folder' | 'take'>;
  readonly requests: Pick<Requests, 'snapshots' | 'snapshotPart'>;
  readonly data: string;
  readonly askable: () => readonly string[];
  /** Nothing is pruned here: the store that is replaced stays beside the new one. */
  readonly keepsAll: boolean;
  readonly reopen: (why: string) => void;
  readonly log: Log;
  readonly monotonicMs: () => number;
};

/** "Begin from a snapshot": asked for once, however often the data folder is opened anew. */
export type SnapshotWish = { pending: boolean };

const againMs = { first: 2000, longest: 120_000 } as const;

export class SnapshotCatchUp {
  readonly #modules: SnapshotCatchUpModules;
  readonly #wish: SnapshotWish | undefined;
  /** Over all attempts. */
  readonly #refusals = new SnapshotRefusals();
  #running: Promise<void> | undefined;
  #failures = 0;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(modules: SnapshotCatchUpModules, wish?: SnapshotWish) {
    this.#modules = modules;
    this.#wish = wish;
  }

  /** One is on its way, or wished for: nobody should fetch blocks meanwhile. */
  get running(): boolean {
    return this.#running !== undefined || this.#wish?.pending === true;
  }

  /** Looked at once a second: an operator's wish is fulfilled when there are peers that are ahead. */
  tick(behind: number, catchingUp: boolean): void {
    if (this.#wish?.pending !== true || (behind === 0 && catchingUp)) return;
    this.#wish.pending = false;
    if (behind > 0) this.needed();
  }

  /** May be called again and again. */
  needed(): void {
    const { monotonicMs, log } = this.#modules;
    if (this.#running !== undefined || this.#stopped || monotonicMs() < this.#notBeforeMs) return;
    this.#running = this.#run()
      .catch((error: unknown) => {
        log.error({ code: codeOf(error), error: String(error) }, 'no snapshot could be fetched');
        return false;
      })
      .then((done) => {
        this.#running = undefined;
        if (done || this.#stopped) return;
        this.#failures += 1;
        const pauseMs = Math.min(againMs.longest, againMs.first * 2 ** (this.#failures - 1));
        this.#notBeforeMs = monotonicMs() + pauseMs;
        log.warn({ againMs: pauseMs }, 'no peer had a snapshot that helps; asking again');
      });
  }

  async #run(): Promise<boolean> {
    const { ledger, snapshots, requests, data, askable, keepsAll, reopen, log, monotonicMs } = this.#modules;
    const fetched = await fetchSnapshot({
      genesis: ledger.genesis,
      data,
      folder: snapshots.folder,
      askable,
      offersOf: (peer) => requests.snapshots(peer),
      fetchPart: (peer, digest) => requests.snapshotPart(peer, digest),
      height: () => ledger.finalized.header.height,
      blame: (peer, code) => log.warn({ peer, code }, 'a peer sent what is no snapshot of this chain'),
      stopped: () => this.#stopped,
      keepOld: keepsAll,
      refusals: this.#refusals,
      monotonicMs,
      log,
    });
    if (fetched === undefined) return false;
    try {
      if (this.#stopped) throw new WeftError('SNAPSHOT_STOPPED', 'The node stops before it goes on from the snapshot.');
      await snapshots.take(fetched.path, fetched.height);
    } catch (error) {
      // The node goes on with its store, and comes further than the snapshot: no later start may take that.
      await dropIncoming(data);
      throw error;
    }
    reopen('SNAPSHOT_LOADED');
    return true;
  }

  /** Resolves soon: what is being loaded is given up. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }
}
