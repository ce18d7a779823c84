import { codeOf, WeftError } from '../codec/error.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { RunImport } from '../ledger/runs.ts';
import type { CommittedBlock, RunPart } from '../ledger/types.ts';
import type { Log } from './log.ts';
import { brokenMax, Providers } from './providers.ts';
import type { RunAnswer } from './runAnswers.ts';

/**
 * Catching up: blocks come in runs, each proven by one finalization, from whoever says that it has them. Knows how far
 * behind this node is, and says so.
 */

export type SyncModules = {
  readonly ledger: Pick<Ledger, 'finalized' | 'beginRun'>;
  /** Peers whose bulk lane is open. */
  readonly askable: () => readonly string[];
  /** Resolves to an answer, or undefined (does not have it, timed out, unreachable). */
  readonly fetchRun: (
    peer: string,
    fromHeight: number,
    bytesMax: number,
    timeoutMs: number,
  ) => Promise<RunAnswer | undefined>;
  /** Bodies from a height on, at most `count`. */
  readonly fetchBodies: (
    peer: string,
    fromHeight: number,
    count: number,
    bytesMax: number,
    timeoutMs: number,
  ) => Promise<readonly Uint8Array[] | undefined>;
  /** Resolves when the next run may come: an epoch may have ended. */
  readonly imported: (blocks: readonly CommittedBlock[]) => void | Promise<void>;
  /** The peer sent a run that no honest node sends. */
  readonly blame: (peer: string, code: string) => void;
  readonly halted: (code: string, detail: string) => void;
  /** Nobody holds the blocks that are needed any more; only a snapshot brings this node to where they begin. May be called again. */
  readonly snapshotNeeded: (fromHeight: number) => void;
  /** A snapshot is on its way, which makes blocks up to it needless. */
  readonly paused: () => boolean;
  /** How many of those who state their height may lie: f of the validators. */
  readonly faults: () => number;
  /** Validators besides this node. */
  readonly others: () => number;
  /** Whose word on heights counts. What others say tells only whom to ask. */
  readonly isValidator: (peer: string) => boolean;
  readonly log: Log;
  readonly monotonicMs: () => number;
  readonly sleep: (ms: number) => Promise<void>;
};

/** Headers beyond the bodies that come with them, of which each body is still to come: more is taken when nobody has a nearer finalization. */
const headersAheadMax = 256;
/** What a blamed peer counts as: so many failures more. */
const blameWeight = 6;
/** Rounds in a row that brought nothing, before a goal is given up: about ten seconds. */
const fruitlessMax = 20;
/** Without news from so many validators that one of them is honest, for so long, nobody knows whether this node follows. */
const lonelyMs = 10_000;
/** So long after the first validator has let go of the next block others may still say that they hold it. */
const lastCallMs = 3000;
/** A block or two come by consensus; what has not come by then is fetched. */
const stuckMs = 3000;
/** Says nothing about a run or its sender: the same run will do in a moment. */
const passingCodes: ReadonlySet<string> = new Set(['VERIFY_QUEUE_FULL', 'VERIFY_FAILED', 'VERIFY_POOL_CLOSED']);
type Ahead = { readonly peer: string; readonly from: number; readonly answer: Promise<RunAnswer | undefined> };

export class Sync {
  readonly #modules: SyncModules;
  readonly #providers: Providers;
  #running: Promise<void> | undefined;
  #wanted = 0;
  #live = false;
  #stopped = false;
  /** The next run, on its way while one is imported. */
  #ahead: Ahead | undefined;
  #heardMs: number;
  #tip = { height: -1, sinceMs: 0 };
  /** The first time that a validator had let go of the block that is needed. */
  #prunedSince = { from: -1, sinceMs: 0 };
  /** Whoever waits, to be told when everything is over. */
  readonly #waiting = new Set<() => void>();

  constructor(modules: SyncModules) {
    this.#modules = modules;
    this.#providers = new Providers(modules);
    this.#heardMs = modules.monotonicMs();
  }

  /**
   * Blocks that an honest validator has finalized and we have not, as far as can be told. Of 2f+1 words the f greatest may be lies,
   * and f+1 are left, one of them honest: so f liars neither make this node believe that it is behind nor hide it. Of
   * fewer words fewer are passed over: a lie among them is believed until its teller was asked for these blocks, and has none.
   */
  get behind(): number {
    const heights = this.#providers.words();
    const faults = this.#modules.faults();
    const honest = heights[Math.max(0, Math.min(faults, heights.length - faults - 1))] ?? 0;
    return Math.max(0, honest - this.#modules.ledger.finalized.header.height);
  }

  /** True until the live chain has been reached, and again whenever runs have to be fetched or nobody says where it is. */
  get catchingUp(): boolean {
    return !this.#live || (this.#running !== undefined && this.behind > 1);
  }

  /** So many validators state their height that an honest one is among them. */
  #hearsEnough(): boolean {
    return this.#providers.words().length >= Math.min(this.#modules.faults() + 1, this.#modules.others());
  }

  /** Looked at whenever a block or a word came: this node follows once it heard from enough peers and is not behind them. */
  follows(): void {
    if (!this.#live && this.#hearsEnough() && this.behind <= 1) this.#live = true;
  }

  /** To be called about once a second: what nobody's message starts. */
  tick(): void {
    if (this.#stopped) return;
    const { monotonicMs } = this.#modules;
    const now = monotonicMs();
    if (this.#hearsEnough()) this.#heardMs = now;
    else if (now - this.#heardMs > lonelyMs) this.#live = false;
    const { height } = this.#modules.ledger.finalized.header;
    if (height !== this.#tip.height) this.#tip = { height, sinceMs: now };
    const { behind } = this;
    // A goal that was given up, a word that came before there was a lane, a chain that waits for this very node. Whoever did not
    // show what it has gets another chance: it may have been the line.
    const said = this.#providers.highestWord();
    if (said > height && now - this.#tip.sinceMs >= stuckMs) this.catchUpTo(Math.max(height + behind, height + 1));
    this.follows();
  }

  /** A peer's word on what it has finalized. More than `slack` blocks behind honest ones, this node fetches them. */
  heard(peer: string, height: number, slack: number): void {
    this.#providers.heard(peer, height);
    const { behind } = this;
    if (behind > slack) this.catchUpTo(this.#modules.ledger.finalized.header.height + behind);
    else this.follows();
  }

  forget(peer: string): void {
    this.#providers.forget(peer);
  }

  /** Fetches until `height` is here. A call while one is under way raises its goal. */
  catchUpTo(height: number): void {
    this.#wanted = Math.max(this.#wanted, height);
    if (this.#running !== undefined || this.#stopped) return;
    this.#running = this.#run()
      .catch((error: unknown) => {
        if (!this.#stopped) this.#modules.halted(codeOf(error), error instanceof Error ? error.message : String(error));
      })
      .finally(() => {
        this.#running = undefined;
        this.#ahead = undefined;
        this.follows();
      });
  }

  /** For ever. Resolves when the run that is being imported is, or has been refused; answers under way are not waited for. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const release of [...this.#waiting]) release();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { ledger, log } = this.#modules;
    let fruitless = 0;
    while (!this.#stopped && ledger.finalized.header.height < this.#wanted && !this.#modules.paused()) {
      const from = ledger.finalized.header.height + 1;
      const peer = this.#ahead?.from === from ? this.#ahead.peer : this.#providers.choose(from);
      const answer = peer === undefined ? undefined : await this.#fetch(peer, from);
      if (this.#stopped) return;
      if (answer?.kind !== 'run' && this.#nobodyHolds(from)) break;
      const blocks = peer === undefined || answer?.kind !== 'run' ? [] : await this.#import(peer, answer.run);
      if (this.#stopped) return;
      if (blocks.length > 0) {
        fruitless = 0;
        await this.#modules.imported(blocks);
        log.debug({ peer, from, to: ledger.finalized.header.height }, 'blocks imported');
        continue;
      }
      fruitless += 1;
      if (fruitless > fruitlessMax) break;
      await this.#unlessStopped(this.#modules.sleep(Math.min(1000, 50 * fruitless)));
    }
    // Live consensus brings what is missing, or the next word of a peer sets the goal anew; a liar's goal is forgotten here.
    this.#wanted = 0;
  }

  /**
   * The validators have let go of these blocks: so many said so that one of them is honest, and a moment after the first nobody who
   * shows blocks holds them. A snapshot costs this node its history: no single word may decide that.
   */
  #nobodyHolds(from: number): boolean {
    const { askable, isValidator, faults, others, monotonicMs, log, snapshotNeeded } = this.#modules;
    const known = askable().filter(
      (peer) => this.#providers.heightOf(peer) >= from && this.#providers.conductOf(peer).broken < brokenMax,
    );
    const without = known.filter((peer) => this.#providers.conductOf(peer).holdsFrom > from);
    const validators = without.filter(isValidator);
    if (validators.length === 0) return false;
    const now = monotonicMs();
    if (this.#prunedSince.from !== from) this.#prunedSince = { from, sinceMs: now };
    if (without.length < known.length || validators.length < Math.min(faults() + 1, others())) return false;
    if (now - this.#prunedSince.sinceMs < lastCallMs) return false;
    const lowest = Math.min(...without.map((peer) => this.#providers.conductOf(peer).holdsFrom));
    log.info({ needed: from, held: lowest }, 'no peer holds the next block any more: a snapshot is needed');
    snapshotNeeded(from);
    return true;
  }

  async #fetch(peer: string, from: number): Promise<RunAnswer | undefined> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    const answer = ahead?.from === from && ahead.peer === peer ? ahead.answer : this.#ask(peer, from);
    return this.#unlessStopped(answer);
  }

  async #ask(peer: string, from: number): Promise<RunAnswer | undefined> {
    const { fetchRun } = this.#modules;
    const { bytesMax, timeoutMs } = this.#providers.terms(peer);
    const answer = await this.#timed(peer, fetchRun(peer, from, bytesMax, timeoutMs), (given) =>
      given.kind === 'run' ? bytesOfBlocks(given.run.bodies, given.run.headers) : 0,
    );
    const conduct = this.#providers.conductOf(peer);
    if (answer?.kind === 'pruned') {
      conduct.holdsFrom = answer.fromHeight;
      if (answer.fromHeight > from) this.#providers.failed(peer, 1);
      // It would have it: a word that contradicts itself.
      else this.#providers.broke(peer, 1);
    } else if (answer === undefined && this.#providers.heightOf(peer) >= from) this.#providers.broke(peer, 1);
    else if (answer === undefined) this.#providers.failed(peer, 1);
    return answer;
  }

  async #timed<Answer>(
    peer: string,
    asked: Promise<Answer | undefined>,
    bytesOf: (answer: Answer) => number,
  ): Promise<Answer | undefined> {
    const { monotonicMs } = this.#modules;
    const askedMs = monotonicMs();
    this.#providers.conductOf(peer).askedMs = askedMs;
    const answer = await asked;
    this.#providers.answered(peer, answer === undefined ? 0 : bytesOf(answer), monotonicMs() - askedMs);
    return answer;
  }

  #unlessStopped<Result>(work: Promise<Result>): Promise<Result | undefined> {
    return new Promise((resolve, reject) => {
      const release = (): void => resolve(undefined);
      this.#waiting.add(release);
      work.then(resolve, reject).finally(() => this.#waiting.delete(release));
    });
  }

  /** [] when the run brought nothing; a peer that sent what no honest node sends is blamed. */
  async #import(peer: string, run: RunPart): Promise<readonly CommittedBlock[]> {
    try {
      const started = this.#modules.ledger.beginRun(run);
      if (started === undefined) {
        this.#providers.failed(peer, 1);
        return [];
      }
      const last = started.next + started.missing - 1;
      if (this.#isTooLong(peer, run, started.next)) {
        this.#providers.failed(peer, 1);
        return [];
      }
      if (run.bodies.length === run.headers.length && last < this.#wanted) this.#askAhead(last + 1);
      // What is known already stands first.
      await started.take(run.bodies.slice(run.headers.length - started.missing));
      if (started.missing > 0) await this.#takeBodies(peer, started, last);
      const blocks = await started.finish();
      if (blocks.length === 0) this.#providers.failed(peer, 1);
      else Object.assign(this.#providers.conductOf(peer), { failures: 0, broken: 0 });
      return blocks;
    } catch (error) {
      this.#ahead = undefined;
      return this.#refused(peer, error);
    }
  }

  #askAhead(from: number): void {
    const peer = this.#providers.choose(from);
    if (peer === undefined) return;
    const answer = this.#ask(peer, from);
    // Whoever takes it up sees the error; if nobody does, it is nobody's.
    answer.catch(() => undefined);
    this.#ahead = { peer, from, answer };
  }

  /**
   * A finalization far beyond the bodies that come with it: a chain that had none nearer makes such runs, and so does a liar who holds a
   * node for as long as it brings one body at a time. Taken only when everybody who has these blocks was asked for something nearer.
   */
  #isTooLong(peer: string, run: RunPart, from: number): boolean {
    if (run.headers.length - run.bodies.length <= headersAheadMax) return false;
    this.#providers.conductOf(peer).longFrom = from;
    return this.#modules.askable().some((name) => {
      const { longFrom, holdsFrom, broken } = this.#providers.conductOf(name);
      return this.#providers.heightOf(name) >= from && holdsFrom <= from && broken < brokenMax && longFrom !== from;
    });
  }

  /** The rest of a long run, from whoever brings it: each body is bound by its header. */
  async #takeBodies(first: string, run: RunImport, last: number): Promise<void> {
    let peer: string | undefined = first;
    let fruitless = 0;
    while (run.missing > 0 && !this.#stopped && fruitless <= fruitlessMax) {
      if (peer !== undefined) {
        const { bytesMax, timeoutMs } = this.#providers.terms(peer);
        const asked = this.#modules.fetchBodies(peer, run.next, run.missing, bytesMax, timeoutMs);
        const bodies = await this.#unlessStopped(this.#timed(peer, asked, (given) => bytesOfBlocks(given)));
        try {
          if (bodies !== undefined && bodies.length > 0) {
            await run.take(bodies);
            fruitless = 0;
            this.#providers.conductOf(peer).failures = 0;
            peer = this.#providers.choose(last) ?? peer;
            continue;
          }
          this.#providers.failed(peer, 1);
        } catch (error) {
          this.#refused(peer, error);
        }
      }
      fruitless += 1;
      await this.#unlessStopped(this.#modules.sleep(Math.min(1000, 50 * fruitless)));
      peer = this.#providers.choose(last);
    }
  }

  /** @throws what does not pass and is not the peer's doing */
  #refused(peer: string, error: unknown): readonly CommittedBlock[] {
    const { log, blame } = this.#modules;
    if (!(error instanceof WeftError)) throw error;
    log.warn({ peer, code: error.code, reason: error.message }, 'run refused');
    if (passingCodes.has(error.code)) return [];
    if (error.code !== 'RUN_INVALID' && error.code !== 'RUN_GAP') throw error;
    if (error.code === 'RUN_INVALID') blame(peer, error.code);
    this.#providers.broke(peer, error.code === 'RUN_INVALID' ? blameWeight : 1);
    return [];
  }
}

/** Of the blocks that came whole. An empty block counts too. */
function bytesOfBlocks(bodies: readonly Uint8Array[], headers: readonly Uint8Array[] = []): number {
  return bodies.reduce((sum, body, i) => sum + body.length + (headers[i]?.length ?? 1), 0);
}
