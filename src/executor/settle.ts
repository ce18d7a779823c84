import { WeftError } from '../codec/error.ts';
import type { Attempt } from './attempt.ts';
import { findConsumed, isNotConsumed } from './consume.ts';
import { type Desk, put } from './desk.ts';
import { anyThatHolds, isSilent } from './nodes.ts';
import { resultDigest } from './permission.ts';

/** The ledger has an outcome of this attempt already: ours, sent before a crash. */
const reportedCodes: ReadonlySet<string> = new Set(['INTENT_REPORTED']);
/** It has no such attempt any more, or never had: no later report will do better. */
const goneCodes: ReadonlySet<string> = new Set(['INTENT_UNKNOWN', 'INTENT_ATTEMPT_UNKNOWN']);

/**
 * Brings an attempt that nobody works on any more as far as it can come: what was begun and has no outcome is `unknown`, what was
 * consumed and never begun is `failed` (nothing was done, and that is certain), what was never consumed is dropped, and outcomes
 * are reported. Nothing here ever acts. Answers the attempt as it is then; it is open still when the ledger could not be asked,
 * or when it is too early to tell.
 */
export async function settle(desk: Desk, attempt: Attempt): Promise<Attempt> {
  switch (attempt.state) {
    case 'prepared':
      return settlePrepared(desk, attempt);
    case 'begun': {
      const ended = await end(desk, attempt, 'unknown', resultDigest());
      return settle(desk, ended);
    }
    case 'ended':
      return report(desk, attempt);
    case 'closed':
      return attempt;
  }
}

async function settlePrepared(desk: Desk, attempt: Attempt): Promise<Attempt> {
  try {
    // Permission is there still: whoever runs the grant again in time may act on it.
    await findConsumed(desk, attempt, desk.clock.now);
    return attempt;
  } catch (error) {
    if (error instanceof WeftError && error.code === 'CONSUMED_TOO_LATE') return endUndone(desk, attempt);
    return (await isNotConsumed(desk, attempt, error)) ? close(desk, attempt, 'DROPPED') : attempt;
  }
}

/** The use is gone, and it is certain that nothing was done: `failed`, with the digest of nothing. */
export async function endUndone(desk: Desk, attempt: Attempt): Promise<Attempt> {
  return settle(desk, await end(desk, attempt, 'failed', resultDigest()));
}

/** Writes an outcome down; from here on it does not change. */
export async function end(
  desk: Desk,
  attempt: Attempt,
  outcome: 'done' | 'failed' | 'unknown',
  result: string,
): Promise<Attempt> {
  const ended = await put(desk, { ...attempt, state: 'ended', outcome, result, envelope: '' });
  await desk.step('ended');
  return ended;
}

/**
 * Offers the outcome to every node until the ledger has it. An outcome is reported once: when the ledger says that it has one of
 * this attempt, it is the one that was written down here before it was first sent.
 */
async function report(desk: Desk, attempt: Attempt): Promise<Attempt> {
  // What was counted here alone is no consume of the ledger's, which would refuse its outcome.
  if (attempt.local) return close(desk, attempt, 'LOCAL');
  const now = desk.clock.now();
  const { grant, attempt: id, outcome, result } = attempt;
  const signed = desk.sign('intents.report', { grant, attempt: id, outcome, result }, now + desk.sendForMs);
  await desk.step('reporting');
  try {
    await anyThatHolds(desk.nodes, (node) => node.submit(signed.text, desk.sendForMs + desk.maxClockSkewMs));
  } catch (error) {
    const code = error instanceof WeftError ? error.code : 'INTERNAL';
    if (reportedCodes.has(code)) return close(desk, attempt, 'REPORTED');
    const tooLate = now > attempt.expires + desk.reportForMs;
    if ((tooLate && !isSilent(error)) || goneCodes.has(code)) return close(desk, attempt, code);
    if (tooLate) return close(desk, attempt, 'REPORT_EXPIRED');
    return attempt;
  }
  await desk.step('reported');
  return close(desk, attempt, 'REPORTED');
}

export async function close(desk: Desk, attempt: Attempt, why: string): Promise<Attempt> {
  const closed = await put(desk, { ...attempt, state: 'closed', envelope: '', closed: why });
  await desk.step('closed');
  return closed;
}
