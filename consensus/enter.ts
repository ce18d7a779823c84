// S1: entering a view. Views only go up; what was true of the old view's timers ends here.
import { castNullify } from './ballot.ts';
import { skipTurn } from './leaders.ts';
import { type State, viewOf } from './state.ts';
import { assert } from './types.ts';

export function enterView(state: State, view: number): void {
  assert(view > state.view, `view ${view} after ${state.view}: views only go up`);
  const jumped = view !== state.view + 1 || state.views.get(state.view)?.nullification === undefined;
  state.view = view;
  if (jumped) state.runStart = view;
  while (state.views.get(state.runStart - 1)?.nullification !== undefined) state.runStart -= 1;
  beginView(state);
}

/** Timers of the current view start again; a leader whose turn is skipped is not waited for (W3). */
export function beginView(state: State): void {
  state.enteredAtMs = state.nowMs;
  state.timerBaseMs = undefined;
  state.nullifyRetryAtMs = undefined;
  state.dirty = true;
  const record = viewOf(state, state.view);
  if (record.ownNullify !== undefined) state.nullifyRetryAtMs = state.nowMs + state.config.timings.retryMs;
  if (record.slot === 'empty' && skipTurn(state.presence, record.leader, state.nowMs)) {
    state.counters.skipped += 1;
    castNullify(state, record, 'skipped');
  }
}
