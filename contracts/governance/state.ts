// What governance keeps in state: the values that are in force, and the proposals that would change them.
import type { Consensus, GovernanceProposeBody, ValidatorEntry } from '../../schemas/types/tx/governance.propose.ts';
import { readAccount } from '../signatures.ts';
import type { StateReader } from '../types.ts';

export type Change = GovernanceProposeBody['change'];
export type ChangeKind = Change['kind'];
export type { ValidatorEntry };
export type ObserverEntry = { readonly name: string; readonly peer: string };
export type Parameters = Consensus;
/** `version` grows by 1 with each change; grants of versions below `minValid` are void. `digest`: of the policy set. */
export type Policy = { readonly version: number; readonly digest: string; readonly minValid: number };
export type Council = { readonly threshold: number; readonly members: readonly string[] };

/** Open or approved proposals at a time; and one more for each member of the council that has none. */
export const AGENDA_MAX = 16;
/** Of these, so many by accounts outside the council, so that they cannot keep it from deciding. */
export const OUTSIDERS_MAX = 8;
/** By one member of the council, and by one account outside. */
export const MEMBER_PROPOSALS_MAX = 8;
export const OUTSIDER_PROPOSALS_MAX = 1;
export const PROPOSAL_LIFETIME_MAX_MS = 30 * 24 * 3_600_000;

/** All that a proposal can change. */
export type Governed = {
  /** Sorted by name. */
  readonly validators: readonly ValidatorEntry[];
  readonly observers: readonly ObserverEntry[];
  readonly ruleset: number;
  readonly parameters: Parameters;
  readonly council: Council;
  readonly policy: Policy;
  readonly paused: boolean;
};

export type Proposal = {
  /** txId of its `governance.propose`. */
  readonly proposal: string;
  readonly proposer: string;
  readonly kind: ChangeKind;
  /** Null once it is off the agenda: the transaction still has it, state need not. */
  readonly change: Change | null;
  readonly notBefore: number;
  /** Milliseconds UTC. */
  readonly expires: number;
  readonly status: 'open' | 'approved' | 'effective' | 'lapsed' | 'withdrawn';
  /** Accounts in the order in which they approved. */
  readonly approvals: readonly string[];
  /** Block of the proposal. */
  readonly height: number;
  /** When it left the agenda; `code`: why it lapsed. */
  readonly concluded: { readonly height: number; readonly code: string | null } | null;
};

export const validatorsPath = 'governance/validators/current';
export const consensusPath = 'governance/consensus/current';
export const councilPath = 'governance/council/current';
/** `{version, digest, minValid, height}`; height: of the block at whose end it took effect. */
export const policyPath = 'governance/policy/current';
/** `{paused, height}`. */
export const pausePath = 'governance/pause/current';
export const agendaPath = 'governance/agenda/current';

export function proposalPath(proposal: string): string {
  return `governance/proposal/${proposal}`;
}

export function readyPath(validator: string): string {
  return `governance/ready/${validator}`;
}

export function epochPath(epoch: number): string {
  return `governance/epoch/${epoch}`;
}

/** By public key, base64url: `{name, role, status, height}` of every key that a validator or observer ever had. */
export function nodeKeyPath(publicKey: string): string {
  return `governance/key/${publicKey}`;
}

export function readGoverned(state: StateReader): Governed {
  // Genesis writes all of these, and nobody deletes them.
  const set = state.get(validatorsPath) as unknown as Pick<Governed, 'validators' | 'observers'>;
  const consensus = state.get(consensusPath) as unknown as Pick<Governed, 'ruleset' | 'parameters'>;
  return {
    validators: set.validators,
    observers: set.observers,
    ruleset: consensus.ruleset,
    parameters: consensus.parameters,
    council: readCouncil(state),
    policy: readPolicy(state),
    paused: isPaused(state),
  };
}

export function readPolicy(state: StateReader): Policy {
  const { version, digest, minValid } = state.get(policyPath) as unknown as Policy;
  return { version, digest, minValid };
}

/** While true, nothing is granted and no grant is consumed. */
export function isPaused(state: StateReader): boolean {
  return (state.get(pausePath) as { readonly paused: boolean }).paused;
}

export function readCouncil(state: StateReader): Council {
  return state.get(councilPath) as unknown as Council;
}

/** Ids of open and approved proposals, in the order in which they were made. */
export function readAgenda(state: StateReader): readonly string[] {
  const agenda = state.get(agendaPath) as { readonly proposals: readonly string[] } | undefined;
  return agenda?.proposals ?? [];
}

export function readProposal(state: StateReader, proposal: string): Proposal | undefined {
  return state.get(proposalPath(proposal)) as unknown as Proposal | undefined;
}

/** A proposal that is on the agenda, with its change. */
export type Pending = Proposal & { readonly change: Change };

export function readPending(state: StateReader, proposal: string): Pending | undefined {
  const found = readProposal(state, proposal);
  return found === undefined || found.change === null ? undefined : { ...found, change: found.change };
}

/** An account that can decide: active, with a key that signs. */
export function isAble(state: StateReader, account: string): boolean {
  const found = readAccount(state, account);
  return found !== undefined && found.status === 'active' && found.keys.some(({ alg }) => alg !== 'x25519');
}

/**
 * Approvals that count now: by members of the council as it is, who could still approve. Whoever was suspended, or has left
 * the council, between his approval and the effect does not count any more.
 */
export function approvalsThatCount(state: StateReader, proposal: Proposal): number {
  const { members } = readCouncil(state);
  return proposal.approvals.filter((account) => members.includes(account) && isAble(state, account)).length;
}
