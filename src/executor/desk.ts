import type { JsonObject } from '../../contracts/types.ts';
import { WeftError } from '../codec/error.ts';
import type { VerifiedConsumed } from '../token/consumed.ts';
import type { Grant } from '../token/grant.ts';
import type { Trust } from '../token/trust.ts';
import type { Attempt } from './attempt.ts';
import type { AttemptBook } from './attemptBook.ts';
import type { Clock } from './clock.ts';
import type { LedgerNode } from './nodes.ts';

/** The checks of `weft/token`, with this executor's account and limits bound into them. Each throws what it refuses. */
export type Checks = {
  /** Offline: proof, quorum, audience, effect, validity. @throws WeftError TOKEN_* */
  grant(token: string, trust: Trust, against: { readonly now: number; readonly effect: string }): Grant;
  /** Fresh, granted, not paused, not superseded, nobody suspended, uses left. @throws WeftError STATUS_* */
  status(token: string, status: string, trust: Trust, now: number): void;
  /** As `status`, for a use that was consumed and goes on. Gives the time of the checkpoint, milliseconds UTC. @throws WeftError STATUS_* */
  standing(token: string, status: string, trust: Trust, now: number): number;
  /** The record of the consume with this attempt, and its window is open. @throws WeftError TOKEN_*, CONSUMED_* */
  consumed(token: string, trust: Trust, attempt: Attempt, now: number): VerifiedConsumed;
  /** The record that the ledger has the outcome of this attempt. @throws WeftError TOKEN_* */
  reported(token: string, trust: Trust, attempt: Attempt): void;
  /** The code with which the ledger refused this transaction, from its record. @throws WeftError TOKEN_* */
  refusal(token: string, trust: Trust, tx: string): string;
};

/** Whom to believe, and how to learn of those who come after them. */
export type TrustSource = {
  readonly current: Trust;
  /** Walks forward over changes of validators; true when there was one. `now`: milliseconds UTC. @throws WeftError TRUST_*, WALK_* */
  advance(nodes: readonly LedgerNode[], now: number): Promise<boolean>;
};

export type Signed = { readonly id: string; readonly text: string; readonly expires: number };

/** What every part of an executor works with. */
export type Desk = {
  readonly account: string;
  readonly book: AttemptBook;
  readonly nodes: readonly LedgerNode[];
  readonly checks: Checks;
  readonly trust: TrustSource;
  readonly clock: Clock;
  /** Signs as the executor's account. `expires`: milliseconds UTC. */
  readonly sign: (type: string, body: JsonObject, expires: number) => Signed;
  readonly maxClockSkewMs: number;
  /** Milliseconds for which a consume, and one sending of a report, may be taken into a block. */
  readonly sendForMs: number;
  /** Milliseconds after a grant's expiry until which its outcome is still offered to the ledger. */
  readonly reportForMs: number;
  /** Every moment at which a crash makes a difference; a test stops here. */
  readonly step: (name: Step) => Promise<void> | void;
};

export type Step =
  | 'prepare'
  | 'prepared'
  | 'consumed'
  | 'begun'
  | 'acted'
  | 'ended'
  | 'reporting'
  | 'reported'
  | 'closed';

/** Checks under the trust at hand, and once more when the validators have changed since. */
export async function underTrust<T>(desk: Desk, check: (trust: Trust) => T): Promise<T> {
  try {
    return check(desk.trust.current);
  } catch (error) {
    const changed = error instanceof WeftError && /^(TOKEN|STATUS)_SIGNATURES$/.test(error.code);
    const walked = changed && (await desk.trust.advance(desk.nodes, desk.clock.now()).catch(() => false));
    if (!walked) throw error;
    return check(desk.trust.current);
  }
}

/** Writes down that an attempt has come further. Durable when it resolves. */
export function put(desk: Desk, attempt: Attempt): Promise<Attempt> {
  return desk.book.put(attempt, desk.clock.now());
}
