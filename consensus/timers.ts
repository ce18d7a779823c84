// S6, W5, W6, W7: deadlines of the current view, and what is sent again. Everything is computed from the state, so that a
// late tick does the same as a punctual one.

import { castNullify } from './ballot.ts';
import { heldAtMs, releaseHeld } from './held.ts';
import { silentSinceMs } from './leaders.ts';
import { timelyAtWallMs } from './proposals.ts';
import { hasWork, ownProposalAtMs } from './propose.ts';
import { broadcastEntry, nextAskAtMs, retryAsks } from './resolver.ts';
import { broadcast, emit, type State, viewOf } from './state.ts';
import type { NullifyReason, ViewRecord } from './view.ts';

/** Newest own finalize votes that are sent again while nothing they voted for is final. */
const finalizeRepeatMax = 4;

/** W5: the leader timeout runs from the moment there is work in this view, or from the heartbeat's due time. */
function updateTimerBase(state: State): void {
  const record = viewOf(state, state.view);
  const runs = record.slot !== 'empty' || hasWork(state);
  if (!runs) state.timerBaseMs = undefined;
  else state.timerBaseMs ??= state.nowMs;
}

function baseMs(state: State): number {
  return Math.min(state.timerBaseMs ?? Number.POSITIVE_INFINITY, state.enteredAtMs + state.config.timings.idleBlockMs);
}

/** The next reason to give the current view up, and when. A view with a proposal of a silent leader is not given up for silence. */
function nextTimeout(state: State): { atMs: number; reason: NullifyReason } | undefined {
  const record = viewOf(state, state.view);
  const { me, timings } = state.config;
  if (
    !state.voting ||
    record.ownNullify !== undefined ||
    record.ownFinalize !== undefined ||
    record.finalization !== undefined
  )
    return undefined;
  if (record.slot !== 'empty' || record.notarization !== undefined) {
    return { atMs: baseMs(state) + timings.certificationTimeoutMs, reason: 'certification' };
  }
  const leaderAtMs = baseMs(state) + timings.leaderTimeoutMs;
  if (record.leader !== me) {
    const silentAtMs = Math.max(
      state.enteredAtMs,
      silentSinceMs(state.presence, record.leader) + timings.leaderSilentMs,
    );
    if (silentAtMs < leaderAtMs) return { atMs: silentAtMs, reason: 'silent' };
  }
  return { atMs: leaderAtMs, reason: 'leader' };
}

export function runTimers(state: State): void {
  updateTimerBase(state);
  const { retryMs } = state.config.timings;
  const record = viewOf(state, state.view);
  const timeout = nextTimeout(state);
  if (timeout !== undefined && timeout.atMs <= state.nowMs) {
    castNullify(state, record, timeout.reason);
    state.dirty = true;
  }
  if (
    record.ownNullify !== undefined &&
    state.voting &&
    (state.nullifyRetryAtMs ?? Number.POSITIVE_INFINITY) <= state.nowMs
  ) {
    state.nullifyRetryAtMs = state.nowMs + retryMs;
    broadcast(state, { type: 'vote', vote: record.ownNullify });
    broadcastEntry(state);
  }
  repeatFinalize(state, retryMs);
  releaseHeld(state);
  askAgain(state, record);
  retryAsks(state);
}

/** W6: own journaled finalize votes again, never a new one; without one, a peer is asked what became of the view. */
function repeatFinalize(state: State, retryMs: number): void {
  if (state.certifiedView <= state.finalizedView || state.ended) {
    state.finalizeRetryAtMs = undefined;
    return;
  }
  state.finalizeRetryAtMs ??= state.nowMs + retryMs;
  if (state.finalizeRetryAtMs > state.nowMs) return;
  state.finalizeRetryAtMs = state.nowMs + retryMs;
  let repeated = 0;
  for (let view = state.certifiedView; view > state.finalizedView && repeated < finalizeRepeatMax; view -= 1) {
    const vote = state.views.get(view)?.ownFinalize;
    if (vote === undefined || !state.voting) continue;
    repeated += 1;
    broadcast(state, { type: 'vote', vote });
  }
  if (repeated > 0) return;
  const { validators, me } = state.config;
  const peer = (Math.floor(state.nowMs / retryMs) + (me ?? 0) + 1) % validators;
  if (peer !== me) emit(state, { type: 'fetch', what: 'view', view: state.certifiedView, peers: [peer] });
}

/** W4: verdicts that were pending until a wall time. */
function askAgain(state: State, record: ViewRecord): void {
  if (record.verifyAtWallMs !== undefined && record.verifyAtWallMs <= state.wallMs) {
    record.verifyAtWallMs = undefined;
    const block = state.blocks.get(record.proposal?.subject.blockId ?? '');
    if (block !== undefined && record.slot === 'verifying')
      emit(state, { type: 'verify', view: record.view, block: block.facts });
  }
  for (const view of state.certifyLater) {
    const late = state.views.get(view);
    if (late?.certifyAtWallMs === undefined || late.certification !== 'asked') {
      state.certifyLater.delete(view);
    } else if (late.certifyAtWallMs <= state.wallMs) {
      state.certifyLater.delete(view);
      late.certifyAtWallMs = undefined;
      const block = state.blocks.get(late.notarization?.subject.blockId ?? '');
      if (block !== undefined) emit(state, { type: 'certify', view, block: block.facts });
    }
  }
}

/** The monotonic time of the next deadline, or none. */
export function nextWakeAtMs(state: State): number | undefined {
  const record = viewOf(state, state.view);
  let next = nextAskAtMs(state);
  const consider = (atMs: number | undefined): void => {
    if (atMs !== undefined && atMs < next) next = atMs;
  };
  consider(nextTimeout(state)?.atMs);
  if (record.ownNullify !== undefined && state.voting) consider(state.nullifyRetryAtMs);
  consider(state.finalizeRetryAtMs);
  consider(heldAtMs(state));
  consider(ownProposalAtMs(state));
  const atWall = (wallMs: number | undefined): void => {
    if (wallMs !== undefined) consider(state.nowMs + Math.max(1, wallMs - state.wallMs));
  };
  atWall(record.verifyAtWallMs);
  for (const view of state.certifyLater) atWall(state.views.get(view)?.certifyAtWallMs);
  if (
    record.slot === 'verified' &&
    record.ownNotarize === undefined &&
    record.ownNullify === undefined &&
    state.voting
  ) {
    atWall(timelyAtWallMs(state, record));
  }
  return next === Number.POSITIVE_INFINITY ? undefined : next;
}
