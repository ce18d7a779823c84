import { WeftError } from '../codec/error.ts';
import type { VerifiedConsumed } from '../token/consumed.ts';
import type { Trust } from '../token/trust.ts';
import { type Attempt, sentMax } from './attempt.ts';
import { type Desk, put } from './desk.ts';
import { anyThatHolds, type LedgerNode, mostTelling } from './nodes.ts';
import { type Proven, proven, send } from './proof.ts';

/**
 * What became of an attempt's consume. `consumed`: permission, now. `late`: the use is gone and its time is over. `refused`: the
 * ledger's own record says so. `absent`: every node was asked and none has it. `unclear`: nobody could tell; `why` is what they said.
 */
export type Fate =
  | { readonly is: 'consumed'; readonly consumed: VerifiedConsumed }
  | { readonly is: 'late' }
  | { readonly is: 'refused'; readonly code: string }
  | { readonly is: 'absent' }
  | { readonly is: 'unclear'; readonly why: unknown };

/** Durable, and ready to be sent: a new envelope only when no block can take the last one any more. @throws WeftError EXECUTOR_NOT_CONSUMED */
export async function withConsume(desk: Desk, attempt: Attempt): Promise<Attempt> {
  const now = desk.clock.now();
  const newest = attempt.sent.at(-1);
  if (newest !== undefined && now <= newest.expires + desk.maxClockSkewMs) return attempt;
  if (attempt.sent.length >= sentMax) {
    throw new WeftError(
      'EXECUTOR_NOT_CONSUMED',
      `${sentMax} consumes of ${attempt.grant} were sent and no block has one`,
    );
  }
  const { grant, attempt: id } = attempt;
  const signed = desk.sign('intents.consume', { grant, attempt: id }, now + desk.sendForMs);
  const sent = [...attempt.sent, { id: signed.id, expires: signed.expires }];
  return put(desk, { ...attempt, sent, envelope: signed.text });
}

/** Hands the newest consume to every node, and waits for the fate of the attempt. */
export async function consume(desk: Desk, attempt: Attempt, now: () => number): Promise<Fate> {
  const newest = attempt.sent.at(-1);
  if (newest === undefined) return { is: 'absent' };
  const signed = { ...newest, text: attempt.envelope };
  const fate = await fateAs(() => send(desk, signed, recordOf(desk, attempt, now)));
  // A second envelope of an attempt is refused when the first is on the ledger.
  return fate.is === 'refused' && attempt.sent.length > 1 ? fateOf(desk, attempt, now) : fate;
}

/** Asks every node for proof about every envelope of the attempt. */
export function fateOf(desk: Desk, attempt: Attempt, now: () => number): Promise<Fate> {
  if (attempt.sent.length === 0) return Promise.resolve({ is: 'absent' });
  return fateAs(() => anyThatHolds(desk.nodes, (node) => atNode(desk, attempt, node, recordOf(desk, attempt, now))));
}

/** Whether no block can take any envelope of the attempt any more, and those that could are final. */
export function isOver(desk: Desk, { sent }: Attempt): boolean {
  const last = sent.at(-1);
  return last === undefined || desk.clock.now() > last.expires + desk.maxClockSkewMs + finalWithinMs;
}

const finalWithinMs = 10_000;

function recordOf(desk: Desk, attempt: Attempt, now: () => number) {
  return (token: string, trust: Trust): VerifiedConsumed => desk.checks.consumed(token, trust, attempt, now());
}

/** A refusal counts when every envelope was refused: one of the others may be the one that went through. */
async function atNode(
  desk: Desk,
  { sent }: Attempt,
  node: LedgerNode,
  read: (token: string, trust: Trust) => VerifiedConsumed,
): Promise<Proven<VerifiedConsumed>> {
  let refused: Proven<VerifiedConsumed> | undefined;
  let unproven: unknown;
  for (const { id } of sent) {
    try {
      const found = await proven(desk, node, id, read);
      if ('holds' in found) return found;
      refused = found;
    } catch (error) {
      if (isLate(error)) throw error;
      unproven = error;
    }
  }
  if (unproven === undefined && refused !== undefined) return refused;
  throw unproven;
}

async function fateAs(ask: () => Promise<Proven<VerifiedConsumed>>): Promise<Fate> {
  try {
    const found = await ask();
    return 'holds' in found ? { is: 'consumed', consumed: found.holds } : { is: 'refused', code: found.refused };
  } catch (error) {
    const failures = error instanceof AggregateError ? error.errors : [error];
    if (failures.some(isLate)) return { is: 'late' };
    const absent = failures.every((each) => each instanceof WeftError && each.code === 'TX_UNKNOWN');
    return absent ? { is: 'absent' } : { is: 'unclear', why: mostTelling(failures) };
  }
}

function isLate(error: unknown): boolean {
  return error instanceof WeftError && error.code === 'CONSUMED_TOO_LATE';
}
