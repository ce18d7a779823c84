// Own votes: allowed by the rule book, signed, journaled, then sent (W1). Nothing else in this folder signs.
import { faultsOf } from './config.ts';
import { broadcast, journal, type State, store, viewOf } from './state.ts';
import { assert, type NullifyVote, type Proposal, type Vote } from './types.ts';
import type { NullifyReason, ViewRecord } from './view.ts';

function sign(
  state: State,
  kind: Vote['kind'],
  subject: Proposal | { epoch: number; view: number },
): { signer: number; signature: Uint8Array } {
  const signer = state.config.me;
  assert(signer !== undefined && state.sign !== undefined, 'an observer never votes');
  return { signer, signature: state.sign(kind, subject) };
}

/** The vote counts here once it is durable (W1). */
function awaitDurable(state: State, seq: number, vote: Vote): void {
  state.undurable.push({ seq, vote });
}

/** S5. Also the way in which a leader proposes: its notarize vote is the proposal. Returns whether it voted. */
export function castNotarize(state: State, record: ViewRecord): boolean {
  if (!state.voting || !state.rules.mayNotarize(record) || record.proposal === undefined) return false;
  const { subject } = record.proposal;
  const block = state.blocks.get(subject.blockId);
  assert(block?.here === true, 'a verified proposal has its block here');
  const vote = { kind: 'notarize', subject, ...sign(state, 'notarize', subject) } as const;
  const leads = record.leader === state.config.me;
  record.ownNotarize = vote;
  if (leads) record.proposal = vote;
  store(state, block);
  awaitDurable(state, journal(state, { kind: 'notarized', vote, block: block.facts }), vote);
  broadcast(state, leads ? { type: 'proposal', vote, block: block.facts } : { type: 'vote', vote });
  return true;
}

/** S6. The first time latches the reason; later calls do nothing (the retry timer sends it again). */
export function castNullify(state: State, record: ViewRecord, reason: NullifyReason): boolean {
  if (!state.voting || record.ownNullify !== undefined || !state.rules.mayNullify(state, record)) return false;
  const subject = { epoch: state.config.epoch, view: record.view };
  const vote: NullifyVote = { kind: 'nullify', subject, ...sign(state, 'nullify', subject) };
  record.ownNullify = vote;
  record.nullifyReason = reason;
  state.nullifyRetryAtMs = state.nowMs + state.config.timings.retryMs;
  awaitDurable(state, journal(state, { kind: 'vote', vote }), vote);
  broadcast(state, { type: 'vote', vote });
  return true;
}

/** S7. */
export function castFinalize(state: State, record: ViewRecord): boolean {
  if (!state.voting || !state.rules.mayFinalize(state, record) || record.notarization === undefined) return false;
  const { subject } = record.notarization;
  const vote = { kind: 'finalize', subject, ...sign(state, 'finalize', subject) } as const;
  record.ownFinalize = vote;
  awaitDurable(state, journal(state, { kind: 'vote', vote }), vote);
  broadcast(state, { type: 'vote', vote });
  return true;
}

/** Own votes that stand in views above `view`, newest views first, at most `max` votes. */
export function ownVotesAbove(state: State, view: number, max: number): Vote[] {
  const votes: Vote[] = [];
  const views = [...state.views.keys()].filter((each) => each > view).sort((a, b) => b - a);
  for (const each of views) {
    const record = viewOf(state, each);
    for (const vote of [record.ownNotarize, record.ownNullify, record.ownFinalize]) {
      if (vote !== undefined && votes.length < max) votes.push(vote);
    }
  }
  return votes;
}

/** W7: so many nullify votes hold one of an honest validator. */
export function joinThreshold(validators: number): number {
  return faultsOf(validators) + 1;
}
