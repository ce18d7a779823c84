import { WeftError } from '../codec/error.ts';
import { equalBytes } from '../codec/utf8.ts';
import { parseToken } from '../token/form.ts';
import type { Grant } from '../token/grant.ts';
import { type Desk, underTrust } from './desk.ts';
import { bestThatHolds, firstThatHolds, type LedgerNode } from './nodes.ts';

/** A grant whose token holds here. */
export type Verified = { readonly token: string; readonly grant: Grant };

/** A grant that still stood at the time of a checkpoint, milliseconds UTC. */
export type Standing = Verified & {
  /** Of the grant's leaf in the log. */
  readonly index: number;
  readonly checkpointTime: number;
};

const tokenWithinMs = 5_000;

/**
 * Step 1, offline but for the fetching: the token holds, is for this account and this effect (its SHA-256), and is in force.
 * `target`: the intent's id, or its token's text.
 * @throws WeftError TOKEN_*, TRUST_*, RPC_*
 */
export async function verifiedGrant(desk: Desk, target: string, effect: string, now: () => number): Promise<Verified> {
  const check = async (token: string): Promise<Verified> => ({
    token,
    grant: await underTrust(desk, (trust) => desk.checks.grant(token, trust, { now: now(), effect })),
  });
  if (/^[0-9a-f]{64}$/.test(target)) {
    return firstThatHolds(desk.nodes, async (node) => {
      const found = await check(await node.token({ intent: target }, tokenWithinMs));
      if (found.grant.intent === target) return found;
      throw new WeftError('RPC_ANSWER_INVALID', `${node.name} gave the token of another grant than was asked for`);
    });
  }
  try {
    return await check(target);
  } catch (error) {
    if (!(error instanceof WeftError) || error.code !== 'TOKEN_SIGNATURES') throw error;
    // The same leaf, proven under those who validate now: an old proof is worth nothing after a change of validators.
    const { index, leaf } = parseToken(target);
    return firstThatHolds(desk.nodes, async (node) => {
      const fresh = await node.token({ index }, tokenWithinMs);
      if (!equalBytes(parseToken(fresh).leaf, leaf)) throw error;
      return check(fresh);
    });
  }
}

/**
 * Step 2: some node proves, freshly, that the grant may be used. What is proven against it is final; what is stale is not.
 * `mine`: an attempt of this executor is at hand, so the use that is gone may be its own: its record will tell.
 * @throws WeftError STATUS_*, TRUST_*, RPC_*
 */
export function checkStatus(desk: Desk, { token, grant }: Verified, mine: boolean, now: () => number): Promise<void> {
  return firstThatHolds(
    desk.nodes,
    async (node) => {
      const status = await node.status(grant.intent);
      try {
        await underTrust(desk, (trust) => desk.checks.status(token, status, trust, now()));
      } catch (error) {
        if (mine && error instanceof WeftError && error.code === 'STATUS_USED_UP') return;
        throw error;
      }
    },
    isProven,
  );
}

/**
 * The same for a use that was consumed here and goes on: uses may be gone. `thorough`: all nodes are asked, and the newest proof counts.
 * @throws WeftError STATUS_*, TRUST_*, RPC_*
 */
export function standingOf(
  desk: Desk,
  { token, grant }: Verified,
  now: () => number,
  thorough: boolean,
): Promise<Standing> {
  const ask = async (node: LedgerNode): Promise<Standing> => {
    const status = await node.status(grant.intent);
    const checkpointTime = await underTrust(desk, (trust) => desk.checks.standing(token, status, trust, now()));
    return { token, index: parseToken(token).index, grant, checkpointTime };
  };
  if (!thorough) return firstThatHolds(desk.nodes, ask, isProven);
  return bestThatHolds(desk.nodes, ask, isProven, (a, b) => a.checkpointTime - b.checkpointTime);
}

/** Refusals that a fresh checkpoint proves: no other node can know better. */
const provenCodes: ReadonlySet<string> = new Set([
  'STATUS_PAUSED',
  'STATUS_POLICY_SUPERSEDED',
  'STATUS_SUSPENDED',
  'STATUS_USED_UP',
  'STATUS_CANCELLED',
  'STATUS_EXPIRED',
  'STATUS_MISMATCH',
]);

/** Was a status refused for what a fresh checkpoint proves, and not for what a node failed to show? */
export function isProven(error: unknown): boolean {
  return error instanceof WeftError && provenCodes.has(error.code);
}
