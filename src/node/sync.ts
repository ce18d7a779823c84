import { type Cbor, decodeCbor, encodeCbor } from '../codec/cbor.ts';
import { codeOf, WeftError } from '../codec/error.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { CommittedBlock, Run } from '../ledger/types.ts';
import type { Log } from './consensus.ts';

/**
 * Catching up: blocks come in runs, each proven by one finalization, from whoever says that it has them. Knows how far
 * behind this node is, and says so.
 */

export type SyncModules = {
  readonly ledger: Ledger;
  /** Peers whose bulk lane is open. */
  readonly askable: () => readonly string[];
  /** Resolves to a run, or undefined (does not have it, timed out, unreachable). */
  readonly fetchRun: (peer: string, fromHeight: number, bytesMax: number) => Promise<Run | undefined>;
  readonly imported: (blocks: readonly CommittedBlock[]) => void;
  /** The peer sent a run that no honest node sends. */
  readonly blame: (peer: string, code: string) => void;
  readonly halted: (code: string, detail: string) => void;
  /** How many of those who state their height may lie: f of the validators. */
  readonly faults: () => number;
  readonly log: Log;
  readonly sleep: (ms: number) => Promise<void>;
};

const runBytesMax = 1024 * 1024;
/** Answers in a row that brought nothing, before a goal is given up: about ten seconds. */
const fruitlessMax = 20;
/** The blocks between two finalizations have to fit one answer (docs/decisions/0003). */
export const runAnswerBytesMax = 8 * 1024 * 1024;

export class Sync {
  readonly #modules: SyncModules;
  /** Peer → the greatest height that it said it had finalized. */
  readonly #heights = new Map<string, number>();
  #running: Promise<void> | undefined;
  #wanted = 0;
  #stopped = false;
  #live = false;

  constructor(modules: SyncModules) {
    this.#modules = modules;
  }

  /** Blocks that an honest peer has finalized and we have not: the (f+1)-th greatest height, so that f liars change nothing. */
  get behind(): number {
    const heights = [...this.#heights.values()].sort((a, b) => b - a);
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

  heard(peer: string, height: number): void {
    // Height 0 is a word too: at a chain's beginning it is what outvotes a liar.
    if (height > (this.#heights.get(peer) ?? -1)) this.#heights.set(peer, height);
  }

  forget(peer: string): void {
    this.#heights.delete(peer);
  }

  /** Fetches until `height` is here. A call while one is under way raises its goal. */
  catchUpTo(height: number): void {
    this.#wanted = Math.max(this.#wanted, height);
    if (this.#running !== undefined || this.#stopped) return;
    this.#running = this.#run()
      .catch((error: unknown) =>
        this.#modules.halted(codeOf(error), error instanceof Error ? error.message : String(error)),
      )
      .finally(() => {
        this.#running = undefined;
        this.follows();
      });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    const { ledger, log } = this.#modules;
    let fruitless = 0;
    while (!this.#stopped && ledger.finalized.header.height < this.#wanted) {
      const from = ledger.finalized.header.height + 1;
      const peers = this.#modules.askable();
      // Who said that it has the block first; then anybody.
      const able = peers.filter((name) => (this.#heights.get(name) ?? 0) >= from);
      const candidates = able.length > 0 ? able : peers;
      const peer = candidates[fruitless % Math.max(1, candidates.length)];
      const run = peer === undefined ? undefined : await this.#modules.fetchRun(peer, from, runBytesMax);
      if (this.#stopped) return;
      const blocks = peer === undefined || run === undefined ? [] : await this.#import(peer, run);
      if (blocks.length > 0) {
        fruitless = 0;
        this.#modules.imported(blocks);
        log.debug({ peer, from, to: ledger.finalized.header.height }, 'blocks imported');
        continue;
      }
      fruitless += 1;
      if (fruitless > fruitlessMax) break;
      await this.#modules.sleep(Math.min(1000, 50 * fruitless));
    }
    // Live consensus brings what is missing, or the next word of a peer sets the goal anew; a liar's goal is forgotten here.
    this.#wanted = 0;
  }

  /** [] when the run brought nothing; a peer that sent what no honest node sends is blamed. */
  async #import(peer: string, run: Run): Promise<readonly CommittedBlock[]> {
    try {
      return await this.#modules.ledger.importRun(run);
    } catch (error) {
      if (!(error instanceof WeftError)) throw error;
      if (error.code === 'RUN_INVALID') this.#modules.blame(peer, error.code);
      else if (error.code !== 'RUN_GAP') throw error;
      this.#modules.log.warn({ peer, code: error.code, reason: error.message }, 'run refused');
      return [];
    }
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
