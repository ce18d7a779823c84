import { WeftError } from '../codec/error.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { BlockPool } from './blocks.ts';
import type { Log } from './log.ts';

/**
 * Executes blocks and says whether they hold: all of W4 but the clock. A body or a parent that is missing is pending, never
 * false. One check per block is under way at a time, whoever asks for it.
 */
export type BlockChecksModules = {
  readonly ledger: Ledger;
  readonly blocks: BlockPool;
  /** Brings a block back that the pool no longer holds; false when nobody has it. */
  readonly refetch: (blockId: string) => Promise<boolean>;
  /** Trouble of this machine that waiting does not mend. */
  readonly failed: (error: unknown) => void;
  readonly log: Log;
  readonly sleep: (ms: number) => Promise<void>;
};

const againMs = 20;
/** Says something about this machine and this moment, and nothing about the block. */
const passing = new Set(['VERIFY_QUEUE_FULL', 'VERIFY_FAILED']);

export class BlockChecks {
  readonly #modules: BlockChecksModules;
  readonly #underWay = new Map<string, Promise<boolean | undefined>>();
  #stopped = false;

  constructor(modules: BlockChecksModules) {
    this.#modules = modules;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Undefined when the question is over: stopped, finalized meanwhile, or lost with nobody who has it. */
  check(blockId: string): Promise<boolean | undefined> {
    if (this.#modules.ledger.canExtend(blockId)) return Promise.resolve(true);
    const running = this.#underWay.get(blockId);
    if (running !== undefined) return running;
    const check = this.#check(blockId)
      .catch((error: unknown) => {
        this.#modules.failed(error);
        return undefined;
      })
      .finally(() => this.#underWay.delete(blockId));
    this.#underWay.set(blockId, check);
    return check;
  }

  async #check(blockId: string): Promise<boolean | undefined> {
    const { ledger, blocks, sleep } = this.#modules;
    while (!this.#stopped) {
      if (ledger.canExtend(blockId)) return true;
      const pooled = blocks.get(blockId);
      if (pooled === undefined) {
        if (ledger.block(blockId) !== undefined || !(await this.#modules.refetch(blockId))) return undefined;
        continue;
      }
      if (pooled.header.height <= ledger.finalized.header.height) return undefined;
      const body = blocks.bodyNow(blockId) ?? (await blocks.body(blockId));
      if (body === undefined) {
        if (blocks.tooLarge(blockId)) return false;
        await sleep(againMs);
        continue;
      }
      // Before the body is decoded: without its parent a block cannot be executed anyway.
      const parent = pooled.header.parent;
      if (ledger.canExtend(parent) || (blocks.get(parent) !== undefined && (await this.check(parent)) === true)) {
        const verdict = await this.#execute(blockId, body);
        if (verdict !== undefined) return verdict;
      }
      await sleep(againMs);
    }
    return undefined;
  }

  /** Undefined: ask again. */
  async #execute(blockId: string, body: Uint8Array): Promise<boolean | undefined> {
    const { ledger, blocks, log } = this.#modules;
    const pooled = blocks.get(blockId);
    if (pooled === undefined) return undefined;
    try {
      const checked = await ledger.check(pooled.header, body);
      if (checked.verdict === 'valid') return true;
      if (checked.verdict === 'missing-parent') return undefined;
      // The pool holds a body only when its ids give the header's txRoot: a body that cannot be read is the leader's own.
      const height = pooled.header.height;
      const code = checked.verdict === 'invalid' ? checked.code : 'BODY_INVALID';
      log.warn({ blockId, height, code }, 'invalid block');
      return false;
    } catch (error) {
      if (error instanceof WeftError && passing.has(error.code)) return undefined;
      throw error;
    }
  }
}
