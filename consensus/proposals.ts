// S2, S4, S5: a leader's proposal on its way through slot, ancestry and W4's check to the own notarize vote.

import { checkAncestry } from './ancestry.ts';
import { castNotarize, castNullify } from './ballot.ts';
import { setCertified, tryCertify } from './certificates.ts';
import { askBlock, askViews } from './resolver.ts';
import { emit, learnBlock, type State, viewOf } from './state.ts';
import type { BlockFacts, NotarizeVote, Verdict } from './types.ts';
import type { ViewRecord } from './view.ts';

/** The leader's first notarize vote fills the slot. A later, different one is the tally's conflict (W12). */
export function fillSlot(state: State, record: ViewRecord, vote: NotarizeVote): void {
  if (record.slot !== 'empty' || vote.signer !== record.leader) return;
  record.slot = 'unverified';
  record.proposal = vote;
  state.dirty = true;
}

/** The block's header came with the proposal. Only the slot's block is kept: one per view (W13). */
export function learnProposed(state: State, record: ViewRecord, block: BlockFacts): void {
  const wanted = record.proposal?.subject.blockId === block.id || record.notarization?.subject.blockId === block.id;
  if (!wanted) return;
  if (!state.blocks.has(block.id)) state.dirty = true;
  learnBlock(state, block, record.view);
}

/** Moves the current view's proposal on: structure, ancestry, then W4's check by the shell. Observers wait for certificates. */
export function advanceProposal(state: State): void {
  const record = viewOf(state, state.view);
  const vote = record.proposal;
  if (state.config.me === undefined || state.ended || vote === undefined) return;
  if (record.slot === 'verified') {
    voteWhenTimely(state, record);
    return;
  }
  if (record.slot !== 'unverified' || record.ownNullify !== undefined) return;
  const block = state.blocks.get(vote.subject.blockId);
  if (block === undefined) {
    askBlock(state, vote.subject.blockId, record.view);
    return;
  }
  const ancestry = checkAncestry(state, vote, block.facts);
  if (ancestry.status === 'invalid') refuse(state, record);
  else if (ancestry.status === 'pending') askViews(state, ancestry.missing, record.view);
  else if (block.facts.view !== record.view) {
    // W9: proposed again: executed and certified before.
    block.lastView = Math.max(block.lastView, record.view);
    record.slot = 'verified';
    state.dirty = true;
  } else {
    record.slot = 'verifying';
    emit(state, { type: 'verify', view: record.view, block: block.facts });
  }
}

function refuse(state: State, record: ViewRecord): void {
  record.slot = 'invalid';
  castNullify(state, record, 'invalid');
}

/** W4: a block from the future is not refused, it waits. A re-proposed one met its clock long ago. */
function voteWhenTimely(state: State, record: ViewRecord): void {
  const block = state.blocks.get(record.proposal?.subject.blockId ?? '');
  if (block === undefined || record.ownNotarize !== undefined) return;
  if (timelyAtWallMs(state, record) <= state.wallMs) castNotarize(state, record);
}

/** The wall time from which the slot's block may be voted for. */
export function timelyAtWallMs(state: State, record: ViewRecord): number {
  const block = state.blocks.get(record.proposal?.subject.blockId ?? '')?.facts;
  if (block === undefined || block.view !== record.view) return Number.NEGATIVE_INFINITY;
  return block.time - state.config.timings.maxClockDriftMs;
}

export function onVerified(state: State, view: number, blockId: string, verdict: Verdict): void {
  const record = state.views.get(view);
  const block = state.blocks.get(blockId);
  // A finalization may have overtaken the check, and pruned the block.
  if (
    record === undefined ||
    block === undefined ||
    record.slot !== 'verifying' ||
    record.proposal?.subject.blockId !== blockId
  )
    return;
  if (verdict === 'invalid') {
    refuse(state, record);
    return;
  }
  if (verdict !== 'valid') {
    record.verifyAtWallMs = verdict.retryAtWallMs;
    return;
  }
  block.here = true;
  record.slot = 'verified';
  record.verifyAtWallMs = undefined;
  if (view === state.view) voteWhenTimely(state, record);
  // The same work as certify: if the notarization is here and waits for the shell, this is its answer too.
  if (record.notarization?.subject.blockId === blockId) {
    if (record.certification === 'asked') setCertified(state, record, block.facts);
    else tryCertify(state, view);
  }
}
