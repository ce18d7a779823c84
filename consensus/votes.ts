// S3, W7, W12, W13: what a vote does when it is counted.
import { castNullify, joinThreshold } from './ballot.ts';
import { countTurn, onCertificate } from './certificates.ts';
import { checkAgainstCertificates, checkNullifyFinalize, reportDouble } from './evidence.ts';
import { showVote } from './held.ts';
import { fillSlot } from './proposals.ts';
import { helpOut, mayHelp } from './resolver.ts';
import { checkOwnVote } from './signOnce.ts';
import { type State, viewOf } from './state.ts';
import { addVote, formCertificate, subjectKey, voteOf } from './tally.ts';
import type { Vote } from './types.ts';

/** W13: [last finalized − retention, current + 1], and never below the epoch's first view. */
export function inWindow(state: State, view: number): boolean {
  return (
    view >= 1 &&
    view >= state.finalizedView - state.config.retentionViews &&
    view >= state.viewsFrom &&
    view <= state.view + 1
  );
}

/** A peer's vote. Own ones enter through `countVote` once they are durable. */
export function onVote(state: State, vote: Vote): void {
  if (vote.signer === state.config.me) {
    checkOwnVote(state, vote);
    return;
  }
  showVote(state, vote);
  if (!inWindow(state, vote.subject.view)) {
    state.counters.votesOutOfWindow += 1;
    if (vote.subject.view < state.view) helpOut(state, vote.signer, vote.subject.view);
    return;
  }
  countVote(state, vote);
}

export function countVote(state: State, vote: Vote): void {
  const { view } = vote.subject;
  const record = viewOf(state, view);
  const added = addVote(record.tally, vote);
  if (added.outcome === 'conflict') {
    checkAgainstCertificates(state, record, vote);
    reportDouble(state, record, added.other, vote);
    state.dirty = true;
    return;
  }
  if (added.outcome === 'repeated') {
    if (leftBehind(state, view)) helpOut(state, vote.signer, view);
    return;
  }
  // What a certificate holds is verified; the vote beside it may have come too late for that.
  checkAgainstCertificates(state, record, vote);
  checkNullifyFinalize(state, record, vote);
  if (vote.kind === 'notarize') fillSlot(state, record, vote);
  if (lagging(state, view)) helpOut(state, vote.signer, view);
  if (view <= state.finalizedView) return;
  countTurn(state, record);
  if (added.count === state.quorum) onCertificate(state, formCertificate(record.tally, vote, state.quorum));
}

/** A vote in a view that is over here. */
function leftBehind(state: State, view: number): boolean {
  return state.ended || view <= state.finalizedView || view < state.view;
}

/** Not just the last vote of a view that has only just ended. */
function lagging(state: State, view: number): boolean {
  return (
    view + 3 <= state.view ||
    (leftBehind(state, view) && state.nowMs - state.enteredAtMs >= state.config.timings.retryMs / 2)
  );
}

/** The leader gives its view up (S6), or f + 1 others do (W7) and we hold nothing better. */
export function joinNullify(state: State): void {
  const record = viewOf(state, state.view);
  const { nullify } = record.tally;
  if (record.ownNullify !== undefined || nullify.size === 0) return;
  if (record.leader !== state.config.me && nullify.has(record.leader))
    castNullify(state, record, leaderWasLate(state) ? 'leaderLate' : 'leaderNullified');
  const promising = record.slot === 'verified' || record.slot === 'verifying';
  if (nullify.size >= joinThreshold(state.config.validators) && !promising) castNullify(state, record, 'joined');
}

/** W3: a leader that gives up just before our timeout has cost as much as the timeout. */
function leaderWasLate(state: State): boolean {
  const { timerBaseMs, nowMs, config } = state;
  return timerBaseMs !== undefined && nowMs - timerBaseMs >= config.timings.leaderTimeoutMs / 2;
}

/** W13: would `step` use this vote? Cheap, before its signature is verified; a repeat is wanted only if its sender may need help. */
export function voteIsNeeded(state: State, vote: Vote): boolean {
  const { view } = vote.subject;
  if (!inWindow(state, view)) return view < state.view && mayHelp(state, vote.signer);
  const record = state.views.get(view);
  const first = record === undefined ? undefined : voteOf(record.tally, vote.kind, vote.signer);
  if (first === undefined) return true;
  if (subjectKey(first.kind, first.subject) !== subjectKey(vote.kind, vote.subject)) return true;
  return leftBehind(state, view) && mayHelp(state, vote.signer);
}
