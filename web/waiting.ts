// The list of what waits, as the node tells it: a table of contents. What is approved is read and checked by asked.ts.
import type { GovernanceStatus } from '../schemas/types/rpc.ts';
import { type Kind, readIntent } from './asked.ts';
import { call, Failure } from './rpc.ts';

export type Waiting = {
  readonly kind: Kind;
  readonly id: string;
  readonly requester: string;
  readonly approvals: readonly string[];
  readonly needed: number;
  /** Milliseconds UTC. */
  readonly expires: number;
};

export type Lists = { readonly governance: GovernanceStatus; readonly waiting: readonly Waiting[] };

export async function readWaiting(): Promise<Lists> {
  const [governance, intents] = await Promise.all([call('governance.status', {}), readIntents()]);
  const proposals = governance.proposals
    .filter(({ status }) => status === 'open')
    .map(({ proposal, proposer, approvals, expires }) => ({
      kind: 'proposal' as const,
      id: proposal,
      requester: proposer,
      approvals,
      needed: governance.council.threshold,
      expires,
    }));
  return { governance, waiting: [...intents, ...proposals].sort((a, b) => a.expires - b.expires) };
}

/** One of them, whatever the list says; undefined when it does not wait (any more). */
export async function readOne(kind: Kind, id: string, { governance, waiting }: Lists): Promise<Waiting | undefined> {
  if (kind === 'proposal') return waiting.find((each) => each.id === id);
  const intent = await readIntent(id);
  if (intent?.status !== 'pending' || intent.expires.time <= governance.time) return undefined;
  const { requester, approvals, approvalsNeeded, expires } = intent;
  return { kind, id, requester, approvals, needed: approvalsNeeded, expires: expires.time };
}

type PendingIntents = {
  readonly intents: readonly {
    readonly intent: string;
    readonly requester: string;
    readonly approvals: readonly string[];
    readonly approvalsNeeded: number;
    readonly expires: { readonly time: number };
  }[];
};

async function readIntents(): Promise<Waiting[]> {
  try {
    const { intents } = (await call('intents.pending' as never, {} as never)) as PendingIntents;
    return intents.map(({ intent, requester, approvals, approvalsNeeded, expires }) => ({
      kind: 'intent' as const,
      id: intent,
      requester,
      approvals,
      needed: approvalsNeeded,
      expires: expires.time,
    }));
  } catch (error) {
    // A chain of an older ruleset has none.
    if (error instanceof Failure && error.code === 'RPC_METHOD_UNKNOWN') return [];
    throw error;
  }
}
