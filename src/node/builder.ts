import type { Ledger } from '../ledger/ledger.ts';
import type { BuildContext, ExecutedBlock } from '../ledger/types.ts';
import type { Mempool } from './mempool.ts';

export type BuilderLimits = {
  /** W8: the builder stops here; local, the counts of the epoch are validity. */
  readonly buildBudgetMs: number;
};

/**
 * Codes after which a transaction may still enter a later block; any other one makes it worthless. Keys and accounts are
 * judged here against an unfinalized parent, and time by this node's clock: whether those are final, finality decides.
 */
const transient = new Set(['TX_DUPLICATE', 'TX_NOT_YET_VALID', 'TX_UNPREPARED']);
const decidedByFinality = new Set(['KEY_INACTIVE', 'ACCOUNT_INACTIVE', 'TX_EXPIRED']);

export function isTransient(code: string): boolean {
  return transient.has(code);
}

/**
 * Bytes of blocks that are certified and not final yet, of which everybody holds all in memory: above it a leader proposes only empty
 * blocks, which bring the finalization (W6) and nothing to carry. Eight of the largest blocks that any chain may have; a chain in order has
 * three on their way. Local: a liar may do otherwise, in its own views.
 */
const unfinalizedBytesMax = 16 * 1024 * 1024;

/** After so many that no longer fit, the block is full: smaller ones wait for the next. */
const missesMax = 16;

/**
 * Builds the block that follows `parent`: fair turns from the mempool until a bound is met. The block is executed while it
 * is built and is not executed again (W8). Undefined when there is nothing to propose and an empty block is not wanted; one is
 * when something pending has expired.
 */
export function buildBlock(
  ledger: Ledger,
  mempool: Mempool,
  parent: string,
  context: BuildContext,
  mayBeEmpty: boolean,
  limits: BuilderLimits,
  monotonicMs: () => number,
): ExecutedBlock | undefined {
  const until = monotonicMs() + limits.buildBudgetMs;
  const builder = ledger.startBlock(parent, context);
  const worthless: string[] = [];
  let misses = 0;
  let late = false;
  const waiting = ledger.unfinalizedBytes(parent) < unfinalizedBytesMax ? mempool.inTurn() : [];
  for (const { prepared } of waiting) {
    const answer = builder.tryAdd(prepared);
    if (answer === 'full') {
      misses += 1;
      if (misses >= missesMax) break;
    } else if (answer === 'TX_EXPIRED') late = true;
    else if (answer !== 'added' && !isTransient(answer) && !decidedByFinality.has(answer))
      worthless.push(prepared.tx.envelopeId);
    if (monotonicMs() >= until) break;
  }
  for (const envelopeId of worthless) mempool.remove(envelopeId);
  mempool.rotateTurns();
  // What is too late by our clock stays pending until a block's time has passed it. With nothing else to do no such block would
  // ever come: leaders would give up view after view over work that none of them can do.
  if (builder.count === 0 && !mayBeEmpty && !late) return undefined;
  return builder.seal();
}
