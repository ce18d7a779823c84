import { type Cbor, decodeCbor, encodeCbor } from '../codec/cbor.ts';
import { codeOf, WeftError } from '../codec/error.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { CommittedBlock, Run } from '../ledger/types.ts';
import type { Log } from './log.ts';

/**
 * Catching up: blocks come in runs, each proven by one finalization, from whoever says that it has them. Knows how far
 * behind this node is, and says so.
 */

export type SyncModules = {
  readonly ledger: Pick<Ledger, 'finalized' | 'importRun'>;
  /** Peers whose bulk lane is open. */
  readonly askable: () => readonly string[];
  /** Resolves to a run, or undefined (does not have it, timed out, unreachable). */
  readonly fetchRun: (
    peer: string,
    fromHeight: number,
    bytesMax: number,
    timeoutMs: number,
  ) => Promise<Run | undefined>;
  readonly imported: (blocks: readonly CommittedBlock[]) => void;
  /** The peer sent a run that no honest node sends. */
  readonly blame: (peer: string, code: string) => void;
  readonly halted: (code: string, detail: string) => void;
  /** How many of those who state their height may lie: f of the validators. */
  readonly faults: () => number;
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
/** An answer that takes longer may be a lame line or a liar's: next time somebody else is asked, if there is one. */
const briskMs = 1000;
/** How long a peer that brought nothing is passed over: doubles with each time in a row. */
const passedOverMs = { first: 100, longest: 30_000 } as const;
/** What a blamed peer counts as: so many failures more. */
const blameWeight = 6;
/** Rounds in a row that brought nothing, before a goal is given up: about ten seconds. */
const fruitlessMax = 20;
/** Says nothing about a run or its sender: the same run will do in a moment. */
const passingCodes: ReadonlySet<string> = new Set(['VERIFY_QUEUE_FULL', 'VERIFY_FAILED', 'VERIFY_POOL_CLOSED']);
/** The blocks between two finalizations have to fit one answer (docs/decisions/0003). */
export const runAnswerBytesMax = 8 * 1024 * 1024;

type Conduct = { failures: number; notBeforeMs: number; askedMs: number };

export class Sync {
  readonly #modules: SyncModules;
  /** Peer → the greatest height that it said it had finalized. */
  readonly #heights = new Map<string, number>();
  /** How peers answered so far. It outlives their lanes, so that nobody comes back with a clean slate. */
  readonly #conduct = new Map<string, Conduct>();
  /** Who answered last, and fast. */
  #good: string | undefined;
  #running: Promise<void> | undefined;
  #wanted = 0;
  #live = false;
  #stopped = false;
  /** Ends what is waited for. */
  #release: (() => void) | undefined;

  constructor(modules: SyncModules) {
    this.#modules = modules;
  }

  /** Blocks that an honest validator has finalized and we have not: the (f+1)-th greatest height, so that f liars change nothing. */
  get behind(): number {
    const heights = [...this.#heights]
      .filter(([peer]) => this.#modules.isValidator(peer))
      .map(([, height]) => height)
      .sort((a, b) => b - a);
    const honest = heights[Math.min(this.#modules.faults(), heights.length - 1)] ?? 0;
    return Math.max(0, honest - this.#modules.ledger.finalized.header.height);
  }

  /** True until the live chain has been reached once, and again whenever runs have to be fetched. */
  get catchingUp(): boolean {
    return !this.#live || (this.#running !== undefined && this.behind > 1);
  }

  /** This node follows: it heard from enough peers and is not behind them. */
  follows(): void {
    if (this.behind <= 1) this.#live = true;
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
        this.follows();
      });
  }

  /** For ever. Resolves when the run that is being imported is, or has been refused; answers under way are not waited for. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#release?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { ledger, log } = this.#modules;
    let fruitless = 0;
    while (!this.#stopped && ledger.finalized.header.height < this.#wanted) {
      const from = ledger.finalized.header.height + 1;
      const peer = this.#choose(from);
      const run = peer === undefined ? undefined : await this.#fetch(peer, from);
      if (this.#stopped) return;
      const blocks = peer === undefined || run === undefined ? [] : await this.#import(peer, run);
      if (this.#stopped) return;
      if (blocks.length > 0) {
        fruitless = 0;
        this.#modules.imported(blocks);
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
   * Of those who said that they have the block (then of all): who answered well before, else who was not asked for longest.
   * Undefined while all of them are passed over.
   */
  #choose(from: number): string | undefined {
    const now = this.#modules.monotonicMs();
    const ready = this.#modules.askable().filter((name) => (this.#conduct.get(name)?.notBeforeMs ?? 0) <= now);
    const able = ready.filter((name) => (this.#heights.get(name) ?? 0) >= from);
    const candidates = able.length > 0 ? able : ready;
    if (this.#good !== undefined && candidates.includes(this.#good)) return this.#good;
    const asked = (name: string): number => this.#conduct.get(name)?.askedMs ?? Number.NEGATIVE_INFINITY;
    return candidates.reduce<string | undefined>(
      (best, name) => (best === undefined || asked(name) < asked(best) ? name : best),
      undefined,
    );
  }

  async #fetch(peer: string, from: number): Promise<Run | undefined> {
    const { monotonicMs, fetchRun } = this.#modules;
    const conduct = this.#conductOf(peer);
    const askedMs = monotonicMs();
    conduct.askedMs = askedMs;
    const bytesMax = Math.max(runBytesMin, runBytesMax / 2 ** conduct.failures);
    const timeoutMs = Math.min(answerMs.longest, answerMs.first * 2 ** conduct.failures);
    const run = await this.#unlessStopped(fetchRun(peer, from, bytesMax, timeoutMs));
    if (run === undefined) this.#failed(peer, 1);
    else if (monotonicMs() - askedMs <= briskMs) this.#good = peer;
    else if (this.#good === peer) this.#good = undefined;
    return run;
  }

  #unlessStopped<Result>(work: Promise<Result>): Promise<Result | undefined> {
    return new Promise((resolve, reject) => {
      this.#release = () => resolve(undefined);
      work.then(resolve, reject);
    });
  }

  /** [] when the run brought nothing; a peer that sent what no honest node sends is blamed. */
  async #import(peer: string, run: Run): Promise<readonly CommittedBlock[]> {
    const { ledger, log, blame } = this.#modules;
    try {
      const blocks = await ledger.importRun(run);
      if (blocks.length > 0) this.#conductOf(peer).failures = 0;
      else this.#failed(peer, 1);
      return blocks;
    } catch (error) {
      if (!(error instanceof WeftError)) throw error;
      log.warn({ peer, code: error.code, reason: error.message }, 'run refused');
      if (passingCodes.has(error.code)) return [];
      if (error.code !== 'RUN_INVALID' && error.code !== 'RUN_GAP') throw error;
      if (error.code === 'RUN_INVALID') blame(peer, error.code);
      this.#failed(peer, error.code === 'RUN_INVALID' ? blameWeight : 1);
      return [];
    }
  }

  #failed(peer: string, weight: number): void {
    if (this.#good === peer) this.#good = undefined;
    const conduct = this.#conductOf(peer);
    conduct.failures = Math.min(16, conduct.failures + weight);
    const pauseMs = Math.min(passedOverMs.longest, passedOverMs.first * 2 ** (conduct.failures - 1));
    conduct.notBeforeMs = this.#modules.monotonicMs() + pauseMs;
  }

  #conductOf(peer: string): Conduct {
    const known = this.#conduct.get(peer);
    if (known !== undefined) return known;
    const conduct: Conduct = { failures: 0, notBeforeMs: 0, askedMs: Number.NEGATIVE_INFINITY };
    this.#conduct.set(peer, conduct);
    return conduct;
  }
}

/** CBOR `[[headers], [bodies], certificate]`. */
export function encodeRun(run: Run): Uint8Array {
  return encodeCbor([run.headers, run.bodies, run.certificate]);
}

/** @throws WeftError MESSAGE_MALFORMED, CBOR_* */
export function decodeRun(payload: Uint8Array): Run {
  const value = decodeCbor(payload, { bytesMax: runAnswerBytesMax, itemsMax: 40_000, depthMax: 3 });
  if (!Array.isArray(value) || value.length !== 3) throw malformed();
  const [headers, bodies, certificate] = value as readonly Cbor[];
  if (!Array.isArray(headers) || !Array.isArray(bodies) || !(certificate instanceof Uint8Array)) throw malformed();
  const bytes = (list: readonly Cbor[]): Uint8Array[] =>
    list.map((item) => {
      if (!(item instanceof Uint8Array)) throw malformed();
      return item;
    });
  return { headers: bytes(headers), bodies: bytes(bodies), certificate };
}

function malformed(): WeftError {
  return new WeftError('MESSAGE_MALFORMED', 'a peer answered with something that is no run of blocks');
}
