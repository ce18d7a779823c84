import { outcomeOf } from '../../contracts/governance/changes.ts';
import { endsEpoch } from '../../contracts/governance/epochs.ts';
import { needsReadiness, readyOf } from '../../contracts/governance/ready.ts';
import { type Pending, readAgenda, readGoverned, readPending } from '../../contracts/governance/state.ts';
import type { BlockContext } from '../../contracts/types.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { quorumOf } from '../ledger/validatorSet.ts';
import type { GovernanceStatus } from './api.ts';

/** What the council has before it, as finalized state tells it. */

/** The finalized block, as a contract would see it. */
export function blockContextOf(ledger: Ledger): BlockContext {
  const { header } = ledger.finalized;
  const { chain, genesisHash } = ledger.genesis;
  const { epoch, ruleset } = ledger.epoch;
  return { chain, genesisHash, height: header.height, time: header.time, epoch, ruleset };
}

export function governanceOf(ledger: Ledger): GovernanceStatus {
  const { state } = ledger;
  const block = blockContextOf(ledger);
  const { validators, observers, ruleset, parameters, council } = readGoverned(state);
  return {
    height: block.height,
    time: block.time,
    epoch: block.epoch,
    ruleset,
    quorum: quorumOf(validators.length),
    validators: validators.map(({ name, account, url }) => ({ name, account, url })),
    observers: observers.map(({ name }) => ({ name })),
    council: { threshold: council.threshold, members: council.members },
    parameters: { ...parameters },
    proposals: readAgenda(state).flatMap((id) => {
      const pending = readPending(state, id);
      return pending === undefined ? [] : [proposalOf(ledger, block, pending)];
    }),
  };
}

function proposalOf(ledger: Ledger, block: BlockContext, pending: Pending): GovernanceStatus['proposals'][number] {
  const { state } = ledger;
  const { proposal, proposer, kind, change, status, approvals, height, notBefore, expires } = pending;
  const outcome = outcomeOf(state, block, change);
  const waits = !('refused' in outcome) && needsReadiness(kind) && endsEpoch(outcome.before, outcome.after);
  const next = waits ? outcome.after.validators : [];
  const ready = new Set((waits ? readyOf(state, block, proposal, outcome.after) : []).map(({ name }) => name));
  return {
    proposal,
    proposer,
    kind,
    change,
    // On the agenda it is one of the two.
    status: status === 'approved' ? 'approved' : 'open',
    approvals,
    readyNeeded: waits ? quorumOf(next.length) : 0,
    ready: next.filter(({ name }) => ready.has(name)).map(({ name }) => name),
    missing: next.filter(({ name }) => !ready.has(name)).map(({ name }) => name),
    obstacle: 'refused' in outcome ? outcome.refused : '',
    height,
    notBefore,
    expires,
  };
}
