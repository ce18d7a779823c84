// The list of what waits, as the node tells it: a table of contents. What is approved is read and checked by asked.ts.
import type { GovernanceStatus } from '../schemas/types/rpc.ts';
import { type Kind, readIntent } from './asked.ts';
import { call } from './rpc.ts';

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

/** What waits does so for a quarter of an hour at most. */
const intentsMax = 100;

export async function readWaiting(): Promise<Lists> {
  const [governance, intents] = await Promise.all([call('governance.status', {}), readIntents()]);
  const waiting = [...intents, ...openProposals(governance)].sort((a, b) => a.expires - b.expires);
  return { governance, waiting };
}

/** One of them, whatever the list says; undefined when it does not wait (any more). */
export async function readOne(kind: Kind, id: string): Promise<Waiting | undefined> {
  const governance = await call('governance.status', {});
  if (kind === 'proposal') return openProposals(governance).find((each) => each.id === id);
  const intent = await readIntent(id);
  if (intent?.status !== 'pending' || intent.expires.time <= governance.time) return undefined;
  const { requester, approvals, approvalsNeeded, expires } = intent;
  return { kind, id, requester, approvals, needed: approvalsNeeded, expires: expires.time };
}

function openProposals({ proposals, council }: GovernanceStatus): Waiting[] {
  return proposals
    .filter(({ status }) => status === 'open')
    .map(({ proposal, proposer, approvals, expires }) => ({
      kind: 'proposal' as const,
      id: proposal,
      requester: proposer,
      approvals,
      needed: council.threshold,
      expires,
    }));
}

async function readIntents(): Promise<Waiting[]> {
  const { intents } = await call('intents.list', { limit: intentsMax, waiting: true });
  return intents
    .filter(({ status }) => status === 'pending')
    .map(({ intent, requester, approvals, approvalsNeeded, expires }) => ({
      kind: 'intent' as const,
      id: intent,
      requester,
      approvals,
      needed: approvalsNeeded,
      expires,
    }));
}
