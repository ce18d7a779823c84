import { WeftError } from '../codec/error.ts';
import type { VerifiedConsumed } from '../token/consumed.ts';
import { type Attempt, sentMax } from './attempt.ts';
import { type Desk, put, underTrust } from './desk.ts';
import { anyThatHolds, isSilent, type LedgerNode } from './nodes.ts';

/** For one token of what is final: a quorum cosigns within seconds. */
const tokenWithinMs = 5_000;

/** A consume of this attempt that may be in a block at once; a new one only when no block can take the last one any more. */
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

/**
 * Hands the consume to every node and waits for proof that the ledger has it: the record with *this* attempt, in a token that
 * holds. What a node says is not believed, neither yes nor no; a node that forwards nothing delays nothing.
 * @throws WeftError the code with which the ledger refused it; TOKEN_*; RPC_* when no node answered
 */
export function consume(desk: Desk, attempt: Attempt, now: () => number): Promise<VerifiedConsumed> {
  const newest = attempt.sent.at(-1);
  return anyThatHolds(desk.nodes, async (node) => {
    try {
      await node.submit(attempt.envelope, desk.sendForMs + desk.maxClockSkewMs);
    } catch (error) {
      // The same attempt in an earlier envelope may be what stands in the way of this one; so may our own consume, sent before a crash.
      if (isSilent(error)) throw error;
      return proofOf(desk, attempt, node, now).catch((other: unknown) => {
        throw isConsumed(other) ? other : error;
      });
    }
    if (newest === undefined) throw new WeftError('EXECUTOR_NOT_CONSUMED', 'nothing was sent');
    return proofAt(desk, attempt, node, newest.id, now);
  });
}

/** The proof that this attempt was consumed, by any of its envelopes, from any node. @throws WeftError as `consume` */
export function findConsumed(desk: Desk, attempt: Attempt, now: () => number): Promise<VerifiedConsumed> {
  return anyThatHolds(desk.nodes, (node) => proofOf(desk, attempt, node, now));
}

async function proofOf(desk: Desk, attempt: Attempt, node: LedgerNode, now: () => number): Promise<VerifiedConsumed> {
  let last: unknown = new WeftError('EXECUTOR_NOT_CONSUMED', 'nothing was sent');
  for (const { id } of attempt.sent) {
    try {
      return await proofAt(desk, attempt, node, id, now);
    } catch (error) {
      if (isConsumed(error)) throw error;
      last = error;
    }
  }
  throw last;
}

async function proofAt(
  desk: Desk,
  attempt: Attempt,
  node: LedgerNode,
  tx: string,
  now: () => number,
): Promise<VerifiedConsumed> {
  const token = await node.token({ tx }, tokenWithinMs);
  return underTrust(desk, (trust) => desk.checks.consumed(token, trust, attempt, now()));
}

/**
 * Whether it is certain that no consume of this attempt is on the ledger, nor ever will be: the ledger's own record of the refusal,
 * or no block can take it any more and a node that was asked does not have it.
 */
export async function isNotConsumed(desk: Desk, attempt: Attempt, refusal?: unknown): Promise<boolean> {
  const [only] = attempt.sent;
  const index = refusal instanceof WeftError ? refusal.details['index'] : undefined;
  if (only !== undefined && attempt.sent.length === 1 && typeof index === 'number') {
    const proven = await anyThatHolds(desk.nodes, async (node) => {
      const token = await node.token({ index: index + 1 }, tokenWithinMs);
      return underTrust(desk, (trust) => desk.checks.refused(token, trust, only.id));
    }).then(
      () => true,
      () => false,
    );
    if (proven) return true;
  }
  const newest = attempt.sent.at(-1);
  if (newest === undefined) return true;
  if (desk.clock.now() <= newest.expires + desk.maxClockSkewMs + afterExpiryMs) return false;
  try {
    await findConsumed(desk, attempt, desk.clock.now);
    return false;
  } catch (error) {
    return !isSilent(error) && !isConsumed(error);
  }
}

/** The record is there, and holds; only its time has passed, or this clock is wrong. */
export function isConsumed(error: unknown): boolean {
  return error instanceof WeftError && (error.code === 'CONSUMED_TOO_LATE' || error.code === 'CONSUMED_CLOCK');
}

/** Blocks that could still take it are final by then. */
const afterExpiryMs = 10_000;
