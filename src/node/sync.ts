import { type Cbor, decodeCbor, encodeCbor } from '../codec/cbor.ts';
import { codeOf, WeftError } from '../codec/error.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { RunImport } from '../ledger/runs.ts';
import type { CommittedBlock, RunPart } from '../ledger/types.ts';
import type { Log } from './log.ts';

/**
 * Catching up: blocks come in runs, each proven by one finalization, from whoever says that it has them. Knows how far
 * behind this node is, and says so.
 */

/** What a peer answers to a question for a run. */
export type RunAnswer =
  | { readonly kind: 'run'; readonly run: RunPart }
  /** It holds blocks from this height on, and no older ones. */
  | { readonly kind: 'pruned'; readonly fromHeight: number };

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

const runBytesMax = 1024 * 1024;
/** A peer that was too slow is asked for less, and waited for longer, the next time. */
const runBytesMin = 64 * 1024;
const answerMs = { first: 3000, longest: 10_000 } as const;
/** An answer that takes longer may be a lame line or a liar's: next time somebody is asked who has not been, if there is one. */
const briskMs = 1000;
/** So many answers in a row of the fastest peer, and another one gets the chance to be faster. */
const exploreEvery = 16;
/** Bytes a millisecond, of which nobody needs to be asked who brought nothing the last time: waiting for it costs seconds. */
const goodPace = 64;
/** Headers beyond the bodies that come with them, of which each body is still to come: more is taken when nobody has a nearer finalization. */
const headersAheadMax = 256;
/** How long a peer that brought nothing is passed over: doubles with each time in a row. */
const passedOverMs = { first: 100, longest: 30_000 } as const;
/** What a blamed peer counts as: so many failures more. */
const blameWeight = 6;
/** Rounds in a row that brought nothing, before a goal is given up: about ten seconds. */
const fruitlessMax = 20;
/** So often in a row a peer may fail to show the blocks that it says it has, before its word is no longer counted. */
const brokenMax = 3;
/** Without news from so many validators that one of them is honest, for so long, nobody knows whether this node follows. */
const lonelyMs = 10_000;
/** So long after the first validator has let go of the next block others may still say that they hold it. */
const lastCallMs = 3000;
/** A block or two come by consensus; what has not come by then is fetched. */
const stuckMs = 3000;
/** Says nothing about a run or its sender: the same run will do in a moment. */
const passingCodes: ReadonlySet<string> = new Set(['VERIFY_QUEUE_FULL', 'VERIFY_FAILED', 'VERIFY_POOL_CLOSED']);
/** Of one answer between nodes. A run of any size comes in several. */
export const runAnswerBytesMax = 8 * 1024 * 1024;

type Conduct = {
  failures: number;
  notBeforeMs: number;
  askedMs: number;
  /** Times in a row that it did not show what it said it had. */
  broken: number;
  /** It holds nothing below this height. */
  holdsFrom: number;
  /** Of its last answer, in bytes of blocks a millisecond; undefined before the first, 0 when it brought none. */
  pace: number | undefined;
  brisk: boolean;
  /** Height from which it offered only headers without end. */
  longFrom: number;
};

type Ahead = { readonly peer: string; readonly from: number; readonly answer: Promise<RunAnswer | undefined> };

export class Sync {
  readonly #modules: SyncModules;
  /** Peer → the greatest height that it said it had finalized. */
  readonly #heights = new Map<string, number>();
  /** How peers answered so far. It outlives their lanes, so that nobody comes back with a clean slate. */
  readonly #conduct = new Map<string, Conduct>();
  /** Questions in a row to whoever is the fastest. */
  #streak = 0;
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
    this.#heardMs = modules.monotonicMs();
  }

  /** Words of validators that count: who promised blocks and did not show them is not believed until it does. */
  #words(): number[] {
    return [...this.#heights]
      .filter(([peer]) => this.#modules.isValidator(peer) && (this.#conduct.get(peer)?.broken ?? 0) < brokenMax)
      .map(([, height]) => height)
      .sort((a, b) => b - a);
  }

  /**
   * Blocks that an honest validator has finalized and we have not, as far as can be told. Of 2f+1 words the f greatest may be lies,
   * and f+1 are left, one of them honest: so f liars neither make this node believe that it is behind nor hide it. Of
   * fewer words fewer are passed over: a lie among them is believed until its teller was asked for these blocks, and has none.
   */
  get behind(): number {
    const heights = this.#words();
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
    return this.#words().length >= Math.min(this.#modules.faults() + 1, this.#modules.others());
  }

  /** Looked at whenever a block or a word came: this node follows once it heard from enough peers and is not behind them. */
  follows(): void {
    if (this.#hearsEnough() && this.behind <= 1) this.#live = true;
  }

  /** To be called about once a second: what nobody's message starts. */
  tick(): void {
    if (this.#stopped) return;
    const { isValidator, monotonicMs } = this.#modules;
    const now = monotonicMs();
    if (this.#hearsEnough()) this.#heardMs = now;
    else if (now - this.#heardMs > lonelyMs) this.#live = false;
    const { height } = this.#modules.ledger.finalized.header;
    if (height !== this.#tip.height) this.#tip = { height, sinceMs: now };
    const { behind } = this;
    // A goal that was given up, a word that came before there was a lane, a chain that waits for this very node. Whoever did not
    // show what it has gets another chance: it may have been the line.
    const said = Math.max(0, ...[...this.#heights].map(([peer, word]) => (isValidator(peer) ? word : 0)));
    if (said > height && now - this.#tip.sinceMs >= stuckMs) this.catchUpTo(Math.max(height + behind, height + 1));
    this.follows();
  }

  /** A peer's word on what it has finalized. More than `slack` blocks behind honest ones, this node fetches them. */
  heard(peer: string, height: number, slack: number): void {
    // Height 0 is a word too: at a chain's beginning it is what outvotes a liar.
    if (height > (this.#heights.get(peer) ?? -1)) this.#heights.set(peer, height);
    const { behind } = this;
    if (behind > slack) this.catchUpTo(this.#modules.ledger.finalized.header.height + behind);
    else this.follows();
  }

  forget(peer: string): void {
    this.#heights.delete(peer);
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
      const peer = this.#ahead?.from === from ? this.#ahead.peer : this.#choose(from);
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
      (peer) => (this.#heights.get(peer) ?? 0) >= from && this.#conductOf(peer).broken < brokenMax,
    );
    const without = known.filter((peer) => this.#conductOf(peer).holdsFrom > from);
    const validators = without.filter(isValidator);
    if (validators.length === 0) return false;
    const now = monotonicMs();
    if (this.#prunedSince.from !== from) this.#prunedSince = { from, sinceMs: now };
    if (without.length < known.length || validators.length < Math.min(faults() + 1, others())) return false;
    if (now - this.#prunedSince.sinceMs < lastCallMs) return false;
    const lowest = Math.min(...without.map((peer) => this.#conductOf(peer).holdsFrom));
    log.info({ needed: from, held: lowest }, 'no peer holds the next block any more: a snapshot is needed');
    snapshotNeeded(from);
    return true;
  }

  /**
   * Of those who said that they have the block (then of all): who brought most in the least time, and now and then, or when nobody
   * brought anything, who was not asked for longest.
   * Undefined while all of them are passed over.
   */
  #choose(from: number): string | undefined {
    const now = this.#modules.monotonicMs();
    const ready = this.#modules.askable().filter((name) => (this.#conduct.get(name)?.notBeforeMs ?? 0) <= now);
    const able = ready.filter((name) => (this.#heights.get(name) ?? 0) >= from);
    // What was pruned does not come back, but a peer may have been exchanged for one that holds more.
    const whole = able.filter((name) => (this.#conduct.get(name)?.holdsFrom ?? 0) <= from);
    const candidates = whole.length > 0 ? whole : able.length > 0 ? able : ready;
    const oldest = (names: readonly string[]): string | undefined =>
      names.reduce<string | undefined>(
        (best, name) => (best === undefined || this.#askedMs(name) < this.#askedMs(best) ? name : best),
        undefined,
      );
    const pace = (name: string): number => this.#conduct.get(name)?.pace ?? 0;
    const fastest = candidates.reduce((best, name) => (best === '' || pace(name) > pace(best) ? name : best), '');
    if (fastest === '' || pace(fastest) === 0) return oldest(candidates);
    // Whoever answers, and brings little or slowly, is measured against the others: one fast answer is no privilege.
    const others = candidates.filter((name) => name !== fastest);
    const unknown = others.filter((name) => this.#conduct.get(name)?.pace === undefined);
    this.#streak += 1;
    const other =
      this.#conduct.get(fastest)?.brisk === false && unknown.length > 0
        ? oldest(unknown)
        : this.#streak > exploreEvery
          ? oldest(pace(fastest) < goodPace ? others : others.filter((name) => this.#conduct.get(name)?.pace !== 0))
          : undefined;
    if (other === undefined) return fastest;
    this.#streak = 0;
    return other;
  }

  #askedMs(peer: string): number {
    return this.#conduct.get(peer)?.askedMs ?? Number.NEGATIVE_INFINITY;
  }

  async #fetch(peer: string, from: number): Promise<RunAnswer | undefined> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    const answer = ahead?.from === from && ahead.peer === peer ? ahead.answer : this.#ask(peer, from);
    return this.#unlessStopped(answer);
  }

  async #ask(peer: string, from: number): Promise<RunAnswer | undefined> {
    const { fetchRun } = this.#modules;
    const { bytesMax, timeoutMs } = this.#terms(peer);
    const answer = await this.#timed(peer, fetchRun(peer, from, bytesMax, timeoutMs), (given) =>
      given.kind === 'run' ? bytesOfBlocks(given.run.bodies, given.run.headers) : 0,
    );
    const conduct = this.#conductOf(peer);
    if (answer?.kind === 'pruned') {
      conduct.holdsFrom = answer.fromHeight;
      if (answer.fromHeight > from) this.#failed(peer, 1);
      // It would have it: a word that contradicts itself.
      else this.#broke(peer, 1);
    } else if (answer === undefined && (this.#heights.get(peer) ?? 0) >= from) this.#broke(peer, 1);
    else if (answer === undefined) this.#failed(peer, 1);
    return answer;
  }

  #terms(peer: string): { bytesMax: number; timeoutMs: number } {
    const { failures } = this.#conductOf(peer);
    return {
      bytesMax: Math.max(runBytesMin, runBytesMax / 2 ** failures),
      timeoutMs: Math.min(answerMs.longest, answerMs.first * 2 ** failures),
    };
  }

  async #timed<Answer>(
    peer: string,
    asked: Promise<Answer | undefined>,
    bytesOf: (answer: Answer) => number,
  ): Promise<Answer | undefined> {
    const { monotonicMs } = this.#modules;
    const askedMs = monotonicMs();
    const conduct = this.#conductOf(peer);
    conduct.askedMs = askedMs;
    const answer = await asked;
    const tookMs = monotonicMs() - askedMs;
    conduct.pace = answer === undefined ? 0 : bytesOf(answer) / Math.max(1, tookMs);
    conduct.brisk = tookMs <= briskMs;
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
        this.#failed(peer, 1);
        return [];
      }
      const last = started.next + started.missing - 1;
      if (this.#isTooLong(peer, run, started.next)) {
        this.#failed(peer, 1);
        return [];
      }
      if (run.bodies.length === run.headers.length && last < this.#wanted) this.#askAhead(last + 1);
      // What is known already stands first.
      await started.take(run.bodies.slice(run.headers.length - started.missing));
      if (started.missing > 0) await this.#takeBodies(peer, started, last);
      const blocks = await started.finish();
      if (blocks.length === 0) this.#failed(peer, 1);
      else Object.assign(this.#conductOf(peer), { failures: 0, broken: 0 });
      return blocks;
    } catch (error) {
      this.#ahead = undefined;
      return this.#refused(peer, error);
    }
  }

  #askAhead(from: number): void {
    const peer = this.#choose(from);
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
    this.#conductOf(peer).longFrom = from;
    return this.#modules.askable().some((name) => {
      const { longFrom, holdsFrom, broken } = this.#conductOf(name);
      return (this.#heights.get(name) ?? 0) >= from && holdsFrom <= from && broken < brokenMax && longFrom !== from;
    });
  }

  /** The rest of a long run, from whoever brings it: each body is bound by its header. */
  async #takeBodies(first: string, run: RunImport, last: number): Promise<void> {
    let peer: string | undefined = first;
    let fruitless = 0;
    while (run.missing > 0 && !this.#stopped && fruitless <= fruitlessMax) {
      if (peer !== undefined) {
        const { bytesMax, timeoutMs } = this.#terms(peer);
        const asked = this.#modules.fetchBodies(peer, run.next, run.missing, bytesMax, timeoutMs);
        const bodies = await this.#unlessStopped(this.#timed(peer, asked, (given) => bytesOfBlocks(given)));
        try {
          if (bodies !== undefined && bodies.length > 0) {
            await run.take(bodies);
            fruitless = 0;
            this.#conductOf(peer).failures = 0;
            peer = this.#choose(last) ?? peer;
            continue;
          }
          this.#failed(peer, 1);
        } catch (error) {
          this.#refused(peer, error);
        }
      }
      fruitless += 1;
      await this.#unlessStopped(this.#modules.sleep(Math.min(1000, 50 * fruitless)));
      peer = this.#choose(last);
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
    this.#broke(peer, error.code === 'RUN_INVALID' ? blameWeight : 1);
    return [];
  }

  /** It said that it has these blocks, and did not show them. */
  #broke(peer: string, weight: number): void {
    this.#conductOf(peer).broken += 1;
    this.#failed(peer, weight);
  }

  #failed(peer: string, weight: number): void {
    const conduct = this.#conductOf(peer);
    conduct.pace = 0;
    conduct.failures = Math.min(16, conduct.failures + weight);
    const pauseMs = Math.min(passedOverMs.longest, passedOverMs.first * 2 ** (conduct.failures - 1));
    conduct.notBeforeMs = this.#modules.monotonicMs() + pauseMs;
  }

  #conductOf(peer: string): Conduct {
    const known = this.#conduct.get(peer);
    if (known !== undefined) return known;
    const conduct: Conduct = {
      failures: 0,
      notBeforeMs: 0,
      askedMs: Number.NEGATIVE_INFINITY,
      broken: 0,
      holdsFrom: 0,
      pace: undefined,
      brisk: true,
      longFrom: -1,
    };
    this.#conduct.set(peer, conduct);
    return conduct;
  }
}

/** Of the blocks that came whole. An empty block counts too. */
function bytesOfBlocks(bodies: readonly Uint8Array[], headers: readonly Uint8Array[] = []): number {
  return bodies.reduce((sum, body, i) => sum + body.length + (headers[i]?.length ?? 1), 0);
}

/** CBOR `[[headers], [bodies], certificate]`; fewer bodies than headers when not all of them fit. */
export function encodeRun(run: RunPart): Uint8Array {
  return encodeCbor([run.headers, run.bodies, run.certificate]);
}

/** Instead of a run: CBOR `["pruned", first height that is held]`. */
export function encodePruned(fromHeight: number): Uint8Array {
  return encodeCbor(['pruned', fromHeight]);
}

/** @throws WeftError MESSAGE_MALFORMED, CBOR_* */
export function decodeRunAnswer(payload: Uint8Array): RunAnswer {
  const value = decodeCbor(payload, { bytesMax: runAnswerBytesMax, itemsMax: 40_000, depthMax: 3 });
  if (!Array.isArray(value)) throw malformed();
  const [first, second, third, ...more] = value as readonly Cbor[];
  if (first === 'pruned' && typeof second === 'number' && second > 0 && third === undefined) {
    return { kind: 'pruned', fromHeight: second };
  }
  if (!(third instanceof Uint8Array) || more.length > 0) throw malformed();
  const run = { headers: bytesList(first), bodies: bytesList(second), certificate: third };
  if (run.bodies.length > run.headers.length) throw malformed();
  return { kind: 'run', run };
}

/** CBOR `[body, …]`. */
export function encodeBodies(bodies: readonly Uint8Array[]): Uint8Array {
  return encodeCbor([...bodies]);
}

/** @throws WeftError MESSAGE_MALFORMED, CBOR_* */
export function decodeBodies(payload: Uint8Array, countMax: number): Uint8Array[] {
  const bodies = bytesList(
    decodeCbor(payload, { bytesMax: runAnswerBytesMax, itemsMax: Math.min(40_000, countMax + 1), depthMax: 2 }),
  );
  return bodies;
}

function bytesList(value: Cbor | undefined): Uint8Array[] {
  if (!Array.isArray(value)) throw malformed();
  return (value as readonly Cbor[]).map((item) => {
    if (!(item instanceof Uint8Array)) throw malformed();
    return item;
  });
}

function malformed(): WeftError {
  return new WeftError('MESSAGE_MALFORMED', 'a peer answered with something that is no run of blocks');
}
