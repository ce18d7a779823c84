// W5, W6, W8: when the leader proposes, and on what.

import { emptyRun, missingNullifications, ownParent } from './ancestry.ts';
import { castNotarize, castNullify } from './ballot.ts';
import { askViews } from './resolver.ts';
import { closesEpoch, emit, learnBlock, type State, viewOf } from './state.ts';
import { sameSubject } from './tally.ts';
import { assert, type BlockFacts, type NotarizeVote } from './types.ts';
import type { ViewRecord } from './view.ts';

/** 50 ms × 2^k passes every leader timeout long before this. */
const emptyRunMax = 16;

/** W5: a transaction waits, or a certified block is not yet final (a closing parent is always such a block). */
export function hasWork(state: State): boolean {
  return state.workPending || state.certifiedView > state.finalizedView;
}

/** W6: how long finalize votes are waited for before an empty block is proposed after `parent`. */
function graceMs(state: State, parent: BlockFacts): number {
  const { finalizeGraceMs, leaderTimeoutMs } = state.config.timings;
  return Math.min(finalizeGraceMs * 2 ** emptyRun(state, parent, emptyRunMax), Math.floor(leaderTimeoutMs / 2));
}

export type Plan = { atMs: number; mayBeEmpty: boolean };

/** When the current view's leader proposes on `parent`, which is certified: the earliest reason counts. */
function planProposal(state: State, parent: BlockFacts): Plan {
  const { idleBlockMs, blockIntervalMs } = state.config.timings;
  // W5: with nothing to do, a heartbeat.
  let emptyAtMs = state.enteredAtMs + idleBlockMs;
  // W6: an unfinished parent, after the grace.
  if (state.certifiedView > state.finalizedView)
    emptyAtMs = Math.min(emptyAtMs, state.enteredAtMs + graceMs(state, parent));
  // W8: work, but not faster than the interval unless a block's worth is waiting.
  let fullAtMs = Number.POSITIVE_INFINITY;
  if (state.workPending) {
    const seenAtMs = state.blocks.get(parent.id)?.seenAtMs ?? Number.NEGATIVE_INFINITY;
    fullAtMs = state.workFull ? state.nowMs : Math.max(state.enteredAtMs, seenAtMs + blockIntervalMs);
  }
  return fullAtMs < emptyAtMs ? { atMs: fullAtMs, mayBeEmpty: false } : { atMs: emptyAtMs, mayBeEmpty: true };
}

/** Am I to propose in the current view, and still may? */
function leads(state: State, record: ViewRecord): boolean {
  return (
    state.voting &&
    record.leader === state.config.me &&
    record.slot === 'empty' &&
    !record.buildAsked &&
    record.ownNullify === undefined &&
    record.ownNotarize === undefined
  );
}

/** When this leader's next look at `advanceOwn` is due; infinite when it is not its turn or something is missing. */
export function ownProposalAtMs(state: State): number {
  const record = viewOf(state, state.view);
  if (!leads(state, record)) return Number.POSITIVE_INFINITY;
  const parent = ownParent(state);
  if (parent.block === undefined || !state.rules.gapClosed(state, parent.view)) return Number.POSITIVE_INFINITY;
  return planProposal(state, parent.block).atMs;
}

/** S2: proposes, or asks for what is missing first without using up the one build of this view. */
export function advanceOwn(state: State): void {
  const record = viewOf(state, state.view);
  if (!leads(state, record)) return;
  const parent = ownParent(state);
  if (!state.rules.gapClosed(state, parent.view)) {
    askViews(state, missingNullifications(state, parent.view), parent.view);
    return;
  }
  if (parent.block === undefined) return; // finalized ahead of us: the shell is catching up
  if (closesEpoch(state, parent.block)) {
    // W6, W9: at once, the same block again until it is directly finalized.
    propose(state, record, parent.view, parent.block);
    return;
  }
  const plan = planProposal(state, parent.block);
  if (plan.atMs > state.nowMs) return;
  record.buildAsked = true;
  record.buildMayBeEmpty = plan.mayBeEmpty;
  emit(state, {
    type: 'build',
    view: record.view,
    parentView: parent.view,
    parent: parent.block,
    mayBeEmpty: plan.mayBeEmpty,
  });
}

export function onBuilt(state: State, view: number, block: BlockFacts | undefined): void {
  const record = state.views.get(view);
  if (view !== state.view || record === undefined || !record.buildAsked || record.slot !== 'empty') return;
  if (!state.voting || record.ownNullify !== undefined) return;
  if (block === undefined) {
    if (record.buildMayBeEmpty) {
      castNullify(state, record, 'declined');
      return;
    }
    record.buildAsked = false;
    state.workPending = false;
    state.workFull = false;
    return;
  }
  // The parent cannot have changed: certifications of lower views after the build was asked do change what is highest.
  const parent = ownParent(state);
  if (parent.block?.id !== block.parent || !state.rules.gapClosed(state, parent.view)) {
    record.buildAsked = false;
    state.dirty = true;
    return;
  }
  assert(
    block.epoch === state.config.epoch && block.view === view && block.proposer === state.config.me,
    'a built block names this round and proposer',
  );
  assert(
    block.height === parent.block.height + 1 && block.time > parent.block.time,
    'a built block continues its parent',
  );
  propose(state, record, parent.view, block);
}

/** The leader's own notarize vote is the proposal (S2); it has executed the block by building it. */
function propose(state: State, record: ViewRecord, parentView: number, block: BlockFacts): void {
  const subject = { epoch: state.config.epoch, view: record.view, parentView, blockId: block.id };
  const known = learnBlock(state, block, record.view);
  known.here = true;
  const unsigned: NotarizeVote = { kind: 'notarize', subject, signer: record.leader, signature: new Uint8Array() };
  record.proposal = unsigned;
  record.slot = 'verified';
  state.dirty = true;
  assert(castNotarize(state, record), 'a leader that may propose may vote');
  assert(sameSubject(record.proposal.subject, subject), 'the proposal is the own vote');
}
