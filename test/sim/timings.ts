// Timeouts of the runs: ten times shorter than the defaults, with the same inequalities; and the bound on progress that follows.
import type { Timings } from '../../consensus/types.ts';

const simTimings: Timings = {
  leaderTimeoutMs: 200,
  certificationTimeoutMs: 400,
  retryMs: 400,
  fetchMs: 100,
  skipMs: 6000,
  idleBlockMs: 1500,
  finalizeGraceMs: 20,
  leaderSilentMs: 400,
  blockIntervalMs: 5,
  maxClockDriftMs: 500,
};

export const timingProfiles: readonly Timings[] = [
  simTimings,
  // Retries faster than a leader, and slower than a certification.
  { ...simTimings, retryMs: 150, fetchMs: 60 },
  {
    ...simTimings,
    leaderTimeoutMs: 300,
    certificationTimeoutMs: 450,
    retryMs: 900,
    leaderSilentMs: 900,
    blockIntervalMs: 0,
  },
  // Quiet runs: several skips fit into one, and the interval shows on the wire.
  { ...simTimings, idleBlockMs: 400, skipMs: 1200, blockIntervalMs: 60, finalizeGraceMs: 70 },
];
export const quietProfile = 3;

/** One hop with healed links: latency (5), sync (30), check or build (4), and the answers in between. */
const hopMs = 50;

/**
 * How long a healed quorum may take to finalize `things` blocks that must come one after the other (one for the new transactions,
 * one for each change of epoch, and those that the transactions waiting already fill).
 *
 * - `restart`: boot, W11's question and its answers (asked again every 100 ms), one retry that brings all into one view, and the
 *   view that was going wrong when the faults ended.
 * - `catchUp`: every epoch slept through is a ping (leaderSilentMs / 4), a question, a run, a commit, and W11 again.
 * - `turn`: proposal, body asked for apart, notarize, finalize. A bad one runs until the certification timeout, then nullifies.
 * - `rotation`: all n turns once. At most 2f are bad: f liars or dead ones, and f honest ones that somebody still skips (W3),
 *   without whose vote a bare quorum has none to spare. Among the others each finalizes what is there in its turn.
 * - `clock`: the chain's time may stand so far ahead that every new block has to wait for the clocks (W4).
 */
export function livenessBoundMs(
  timings: Timings,
  run: { validators: number; epochs: number; things: number; clockAheadMs: number },
): number {
  const f = Math.floor((run.validators - 1) / 3);
  const turn = 4 * hopMs;
  const badTurn = timings.certificationTimeoutMs + turn;
  const rotation = 2 * f * badTurn + (run.validators - 2 * f) * turn;
  const restart = 100 + 2 * hopMs + timings.retryMs + badTurn;
  const catchUp = run.epochs * (timings.leaderSilentMs / 4 + 100 + 6 * hopMs);
  return restart + catchUp + run.clockAheadMs + (run.things + 1) * rotation;
}
