import type { Attempt } from './attempt.ts';
import { fateOf, isOver } from './consume.ts';
import { type Desk, put } from './desk.ts';
import { resultDigest } from './permission.ts';
import { send } from './proof.ts';

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
  const fate = await fateOf(desk, attempt, desk.clock.now);
  switch (fate.is) {
    case 'late':
      return endUndone(desk, attempt);
    case 'refused':
      return close(desk, attempt, fate.code);
    case 'absent':
      return isOver(desk, attempt) ? close(desk, attempt, 'DROPPED') : attempt;
    case 'unclear':
      return isPast(desk, attempt) ? close(desk, attempt, 'DROPPED') : attempt;
    case 'consumed':
      // Permission is there still: whoever runs the grant again in time may act on it.
      return attempt;
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
 * Offers the outcome to every node until the ledger proves that it has it. An outcome is reported once: when the ledger has one of
 * this attempt already, it is the one that was written down here before it was first sent.
 */
async function report(desk: Desk, attempt: Attempt): Promise<Attempt> {
  // What was counted here alone is no consume of the ledger's, which would refuse its outcome.
  if (attempt.local) return close(desk, attempt, 'LOCAL');
  const { grant, attempt: id, outcome, result } = attempt;
  const signed = desk.sign(
    'intents.report',
    { grant, attempt: id, outcome, result },
    desk.clock.now() + desk.sendForMs,
  );
  await desk.step('reporting');
  const fate = await send(desk, signed, (token, trust) => desk.checks.reported(token, trust, attempt)).catch(
    () => undefined,
  );
  if (fate === undefined) return isPast(desk, attempt) ? close(desk, attempt, 'REPORT_EXPIRED') : attempt;
  await desk.step('reported');
  if ('holds' in fate || fate.refused === 'REPORTED_ALREADY') return close(desk, attempt, 'REPORTED');
  // A consume that is still on its way would make the attempt known; whatever else stands in the way may pass.
  const never = fate.refused === 'GRANT_UNKNOWN' || (fate.refused === 'ATTEMPT_UNKNOWN' && isOver(desk, attempt));
  return never || isPast(desk, attempt) ? close(desk, attempt, fate.refused) : attempt;
}

/** Nothing that the ledger could still say would matter to anybody. */
function isPast(desk: Desk, { expires }: Attempt): boolean {
  return desk.clock.now() > expires + desk.reportForMs;
}

export async function close(desk: Desk, attempt: Attempt, why: string): Promise<Attempt> {
  const closed = await put(desk, { ...attempt, state: 'closed', envelope: '', closed: why });
  await desk.step('closed');
  return closed;
}
