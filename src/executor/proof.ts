import { WeftError } from '../codec/error.ts';
import type { Trust } from '../token/trust.ts';
import { type Desk, type Signed, underTrust } from './desk.ts';
import { anyThatHolds, isSilent, type LedgerNode } from './nodes.ts';

/** What the ledger did with a transaction, as a token of its record says: never as a node says. */
export type Proven<T> = { readonly holds: T } | { readonly refused: string };

/** For one token of what is final: a quorum cosigns within seconds. */
const tokenWithinMs = 5_000;

/**
 * Hands a transaction to every node and waits for proof of what became of it, from whichever has it first: a node that swallows it
 * delays nobody, and one that lies about it, either way, is not heard.
 * @throws AggregateError of what the nodes said, when none could prove anything
 */
export function send<T>(desk: Desk, signed: Signed, read: (token: string, trust: Trust) => T): Promise<Proven<T>> {
  return anyThatHolds(desk.nodes, async (node) => {
    const said: unknown = await node.submit(signed.text, desk.sendForMs + desk.maxClockSkewMs).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (said !== undefined && isSilent(said)) throw said;
    return proven(desk, node, signed.id, read).catch((error: unknown) => {
      throw error instanceof WeftError && error.code === 'TX_UNKNOWN' ? (said ?? error) : error;
    });
  });
}

/**
 * What became of a transaction, as this node can prove it. `read` takes a token of the record that is hoped for, and throws
 * TOKEN_KIND for another; then it is one of a refusal, or proves nothing.
 * @throws WeftError TX_UNKNOWN, TOKEN_*, and whatever `read` throws
 */
export async function proven<T>(
  desk: Desk,
  node: LedgerNode,
  tx: string,
  read: (token: string, trust: Trust) => T,
): Promise<Proven<T>> {
  const token = await node.token({ tx }, tokenWithinMs);
  return underTrust(desk, (trust) => {
    try {
      return { holds: read(token, trust) };
    } catch (error) {
      if (!(error instanceof WeftError) || error.code !== 'TOKEN_KIND') throw error;
      return { refused: desk.checks.refusal(token, trust, tx) };
    }
  });
}
