// What the simulator asks of a ledger. `toyLedger.ts` answers at once; a real one may answer later, through `done`.
import type { BlockFacts, BlockId, Finalization, ValidatorIndex } from '../../consensus/types.ts';

/** A block as it travels: what the engine must know of it, and whatever its ledger keeps beside that. */
export type SimBlock = { readonly facts: BlockFacts };

/** Who votes in an epoch. A validator's index is its place; `key` names its vote key: another key, another journal. */
export type EpochSet = {
  readonly epoch: number;
  readonly validators: readonly { readonly machine: number; readonly key: string }[];
  /** A permutation of the indices (W3). */
  readonly leaderOrder: readonly ValidatorIndex[];
};

export type Draft = {
  epoch: number;
  view: number;
  proposer: ValidatorIndex;
  timeMs: number;
  /** Transactions by number; a negative one closes the epoch of its amount. */
  txs: readonly number[];
};

/** What a liar may make of a block: each is found invalid by an honest ledger, or refused by the engine. */
export const lies = ['badRoot', 'oversized', 'wrongParent', 'timeBack', 'timeAhead', 'heightGap'] as const;
export type Lie = (typeof lies)[number];

/** The ledger of one machine. What is committed survives `crash`, the rest does not. */
export type SimLedger = {
  /** The last committed block; genesis at height 0. */
  tip(): SimBlock;
  /** The tip's own finalization, absent for genesis. */
  certificate(): Finalization | undefined;
  /** A committed block. */
  at(height: number): SimBlock | undefined;
  /** The finalization that closed `epoch`, once committed. */
  closing(epoch: number): Finalization | undefined;
  /** The set that a committed closing block (or genesis) named for `epoch`. */
  setOf(epoch: number): EpochSet | undefined;
  /** Text that stands for the state after the tip, computed here and not read from a header. */
  root(): string;
  hasExecuted(id: BlockId): boolean;
  /** `block`'s parent is executed or committed. `fits`: it executes to what its header says. */
  execute(block: SimBlock, done: (fits: boolean) => void): void;
  build(parent: SimBlock, draft: Draft, done: (block: SimBlock) => void): void;
  /** `blocks` ascend from just above the tip; `certificate` finalizes the last. All or nothing; durable when done. */
  commit(blocks: readonly SimBlock[], certificate: Finalization, done: () => void): void;
  crash(): void;
  /** Is `tx` in `block` or an ancestor? */
  includes(block: SimBlock, tx: number): boolean;
  txsOf(block: SimBlock): readonly number[];
  /** For liars only. */
  lie(parent: SimBlock, draft: Draft, lie: Lie): SimBlock;
};

/** Transactions in a block; one more makes it invalid. */
export const blockTxsMax = 5;
