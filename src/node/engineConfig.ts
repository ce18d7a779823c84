import type { Config, Floor } from '../../consensus/types.ts';
import type { Tip } from '../ledger/types.ts';
import type { Epoch } from '../ledger/validatorSet.ts';

/** What an engine begins with: the epoch's parameters, this node's own pacing, and the floor. */

/** Pacing of this node; the meaning of each: schemas/config.schema.json. */
export type LocalTimings = {
  readonly blockIntervalMs: number;
  readonly buildBudgetMs: number;
  readonly finalizeGraceMs: number;
  readonly leaderSilentMs: number;
  readonly maxClockDriftMs: number;
  /** W8: as many bytes waiting end the wait for `blockIntervalMs`. */
  readonly targetBlockBytes: number;
};

/** `me`: own index; undefined for who must not vote. */
export function engineConfigOf(epoch: Epoch, me: number | undefined, timings: LocalTimings, floor: Floor): Config {
  const { consensus } = epoch;
  // The council changes parameters without knowing how each node paces itself: that must not keep an engine from starting.
  const half = Math.floor(consensus.leaderTimeoutMs / 2);
  return {
    epoch: epoch.epoch,
    validators: epoch.validators.length,
    ...(me === undefined ? {} : { me }),
    leaderOrder: epoch.leaderOrder,
    floor,
    timings: {
      leaderTimeoutMs: consensus.leaderTimeoutMs,
      certificationTimeoutMs: consensus.certificationTimeoutMs,
      retryMs: consensus.retryMs,
      fetchMs: consensus.fetchMs,
      skipMs: consensus.skipMs,
      idleBlockMs: consensus.idleBlockMs,
      finalizeGraceMs: Math.min(timings.finalizeGraceMs, half),
      leaderSilentMs: timings.leaderSilentMs,
      blockIntervalMs: Math.min(timings.blockIntervalMs, half),
      maxClockDriftMs: timings.maxClockDriftMs,
    },
    retentionViews: consensus.retentionViews,
  };
}

/** Where the engine starts: the finalized tip; a tip of an epoch before is this epoch's view 0 (W10). */
export function floorOf(tip: Tip, epoch: Epoch): Floor {
  const { certificate } = tip;
  if (certificate === undefined || certificate.subject.epoch !== epoch.epoch) return { view: 0, block: tip.facts };
  return { view: certificate.subject.view, block: tip.facts, certificate };
}
