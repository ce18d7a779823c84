import { inTurns } from '../ledger/turns.ts';
import type { CommittedBlock } from '../ledger/types.ts';

const fewBlocks = 16;

/**
 * Tells of blocks that have become final, in height order. The few of a live chain at once, before the engine goes on; of a run that
 * was caught up with there may be thousands, and votes and clients have their turn between. What becomes final meanwhile waits.
 */
export class Telling {
  readonly #tell: (block: CommittedBlock) => void;
  #waiting = 0;
  #told: Promise<void> = Promise.resolve();

  constructor(tell: (block: CommittedBlock) => void) {
    this.#tell = tell;
  }

  /** Undefined when all of them are told. Rejects with what telling throws. */
  blocks(blocks: readonly CommittedBlock[]): Promise<void> | undefined {
    if (this.#waiting === 0 && blocks.length <= fewBlocks) {
      for (const block of blocks) this.#tell(block);
      return undefined;
    }
    this.#waiting += 1;
    const told = this.#told
      .then(() => inTurns(blocks, ({ records }) => records.length, this.#tell))
      .finally(() => {
        this.#waiting -= 1;
      });
    this.#told = told.catch(() => undefined);
    return told;
  }

  /** Resolves when what was given so far is told. */
  over(): Promise<void> {
    return this.#told;
  }
}
