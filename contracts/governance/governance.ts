// Changes of what the network itself is made of. See README.md for the table of transactions, refusals and records.
import type { GovernanceApproveBody } from '../../schemas/types/tx/governance.approve.ts';
import type { GovernanceProposeBody } from '../../schemas/types/tx/governance.propose.ts';
import type { GovernanceWithdrawBody } from '../../schemas/types/tx/governance.withdraw.ts';
import { serviceUid } from '../authorisation.ts';
import {
  asJson,
  type Contract,
  type Question,
  type Refusal,
  type RuleContext,
  recordHead,
  refuse,
  rule,
} from '../contract.ts';
import { Draft } from '../draft.ts';
import type { Json, StateReader } from '../types.ts';
import { isOwnEntry, outcomeOf } from './changes.ts';
import { conclude, endBlock } from './effects.ts';
import { evidence } from './evidence.ts';
import { documentOf } from './policySet.ts';
import { isReady, ready } from './ready.ts';
import {
  AGENDA_MAX,
  agendaPath,
  approvalsThatCount,
  isAble,
  MEMBER_PROPOSALS_MAX,
  OUTSIDER_PROPOSALS_MAX,
  OUTSIDERS_MAX,
  PROPOSAL_LIFETIME_MAX_MS,
  type Proposal,
  proposalPath,
  readAgenda,
  readCouncil,
  readPending,
  readProposal,
} from './state.ts';
import { text } from './texts.ts';

const propose = rule<GovernanceProposeBody>('governance.propose', {
  question: ({ change }, { state, tx }) => ({
    resource: serviceUid('governance'),
    context: { kind: change.kind, own: isOwnEntry(state, change, tx.account) },
  }),
  apply({ change, notBefore, expires }, context) {
    const { state, block, tx } = context;
    if (expires <= block.time || expires - block.time > PROPOSAL_LIFETIME_MAX_MS) return refuse('PROPOSAL_EXPIRES');
    if (!hasRoom(state, tx.account)) return refuse('AGENDA_FULL');
    const outcome = outcomeOf(state, block, change, { fresh: true });
    if ('refused' in outcome) return outcome;
    if (change.kind === 'policy') {
      const document = documentOf(state, change, block.height);
      if ('refused' in document) return document;
      // Last, because it is dear. A function of texts and ruleset, so it need not be asked again at the effect.
      const wrong = context.checkPolicySet(document);
      if (wrong !== undefined) return refuse(wrong);
    }
    const proposal: Proposal = {
      proposal: tx.txId,
      proposer: tx.account,
      kind: change.kind,
      change,
      notBefore,
      expires,
      status: 'open',
      approvals: [],
      height: block.height,
      concluded: null,
    };
    const record = {
      ...recordHead('governance.proposed', context),
      by: tx.account,
      kind: change.kind,
      notBefore,
      expires,
    };
    const changes = new Map<string, Json | null>([
      [proposalPath(tx.txId), asJson(proposal)],
      [agendaPath, { proposals: [...readAgenda(state), tx.txId] }],
    ]);
    return { records: [record], changes };
  },
});

/**
 * Nobody fills the agenda alone, and nobody outside the council can keep the council from it; nor can members, whose keys may be
 * stolen: one that has nothing on it always finds a place. (What those left there who are no members any more can be withdrawn.)
 */
function hasRoom(state: StateReader, account: string): boolean {
  const agenda = readAgenda(state);
  const { members } = readCouncil(state);
  const proposers = agenda.map((id) => readProposal(state, id)?.proposer ?? '');
  const own = proposers.filter((proposer) => proposer === account).length;
  const isMember = members.includes(account);
  if (isMember && own === 0) return agenda.length < AGENDA_MAX + members.length;
  if (agenda.length >= AGENDA_MAX) return false;
  if (isMember) return own < MEMBER_PROPOSALS_MAX;
  const outside = proposers.filter((proposer) => !members.includes(proposer)).length;
  return own < OUTSIDER_PROPOSALS_MAX && outside < OUTSIDERS_MAX;
}

/** What policy is asked about a proposal that is there. */
function aboutProposal(proposal: string, { state, tx }: RuleContext): Question | Refusal {
  const found = readProposal(state, proposal);
  if (found === undefined) return refuse('PROPOSAL_UNKNOWN');
  return { resource: serviceUid('governance'), context: { kind: found.kind, own: found.proposer === tx.account } };
}

const approve = rule<GovernanceApproveBody>('governance.approve', {
  question: ({ proposal }, context) => aboutProposal(proposal, context),
  apply({ proposal }, context) {
    const { state, block, tx } = context;
    const found = readPending(state, proposal);
    if (found === undefined) return refuse('PROPOSAL_CLOSED');
    if (found.expires <= block.time) return refuse('PROPOSAL_EXPIRED');
    const { threshold, members } = readCouncil(state);
    // Whatever policy says: m of n is what the members trusted the council with.
    if (!members.includes(tx.account)) return refuse('NOT_COUNCIL');
    if (found.approvals.includes(tx.account)) return refuse('APPROVED_ALREADY');
    const outcome = outcomeOf(state, block, found.change);
    if ('refused' in outcome) return outcome;
    const approved = { ...found, approvals: [...found.approvals, tx.account] };
    const count = approvalsThatCount(state, approved);
    const decides = found.status === 'open' && count >= threshold;
    if (decides && !isReady(state, block, found, outcome)) return refuse('GOVERNANCE_NOT_READY');
    const record = {
      ...recordHead('governance.approved', context),
      by: tx.account,
      proposal,
      kind: found.kind,
      approvals: count,
      threshold,
    };
    const value = decides ? { ...approved, status: 'approved' as const } : approved;
    return { records: [record], changes: new Map([[proposalPath(proposal), asJson(value)]]) };
  },
});

const withdraw = rule<GovernanceWithdrawBody>('governance.withdraw', {
  question: ({ proposal }, context) => aboutProposal(proposal, context),
  apply({ proposal }, context) {
    const { state, block, tx } = context;
    const found = readPending(state, proposal);
    if (found === undefined) return refuse('PROPOSAL_CLOSED');
    const { members } = readCouncil(state);
    // No member can veto what another one proposed: else a single stolen key could keep itself from being thrown out.
    const byMember = members.includes(found.proposer) && isAble(state, found.proposer);
    const own = found.proposer === tx.account;
    if (!own && (byMember || !members.includes(tx.account))) return refuse('NOT_PROPOSER');
    const draft = new Draft(state);
    conclude(draft, block, found, 'withdrawn', null);
    const record = {
      ...recordHead('governance.withdrawn', context),
      by: tx.account,
      proposal,
      kind: found.kind,
    };
    return { records: [record], changes: draft.changes };
  },
});

export const governance: Contract = {
  name: 'governance',
  rules: [propose, text, approve, withdraw, ready, evidence],
  endBlock,
};
