// The rules that safety rests on, each a predicate of its own, so that a test can take one out and must see it missed.
import { quorumOf } from './config.ts';
import type { State } from './state.ts';
import { sameSubject } from './tally.ts';
import type { BlockId, JournalRecord, Vote } from './types.ts';
import type { ViewRecord } from './view.ts';

export type Rules = {
  /** W2 */
  quorum(validators: number): number;
  /** S5: one notarize a view, none after nullify, none for a leader that signed two proposals. */
  mayNotarize(record: ViewRecord): boolean;
  /** S6: the current view only, never after finalize. The first time is a timeout, later ones are the same vote again. */
  mayNullify(state: State, record: ViewRecord): boolean;
  /** S7: never after nullify, once, only a notarized block that is certified here, above the last finalized. */
  mayFinalize(state: State, record: ViewRecord): boolean;
  /** S4: the parent named by a proposal is finalized, or notarized and certified here, and it is that block. */
  parentHolds(state: State, parentView: number, parent: BlockId): boolean;
  /** S4: every view between the parent's and the current one holds a nullification. */
  gapClosed(state: State, parentView: number): boolean;
  /** W11: is a vote signed by our key, that a peer holds, one that the journal lacks? `own`: the journaled one of its kind and view. */
  isForeign(vote: Vote, own: Vote | undefined): boolean;
  /** W1: what replay takes back: every record above the floor. */
  replays(record: JournalRecord): boolean;
};

export const rules: Rules = {
  quorum: quorumOf,

  mayNotarize(record) {
    return record.ownNotarize === undefined && record.ownNullify === undefined && record.slot === 'verified';
  },

  mayNullify(state, record) {
    return record.view === state.view && record.ownFinalize === undefined;
  },

  mayFinalize(state, record) {
    return (
      record.view > state.finalizedView &&
      record.ownFinalize === undefined &&
      record.ownNullify === undefined &&
      record.slot !== 'equivocated' &&
      record.notarization !== undefined &&
      record.certification === 'valid' &&
      record.nullification === undefined // no finalization can come of it any more
    );
  },

  parentHolds(state, parentView, parent) {
    if (parentView === state.finalizedView) return parent === state.finalizedId;
    const record = state.views.get(parentView);
    return (
      parentView > state.finalizedView &&
      record?.certification === 'valid' &&
      record.notarization?.subject.blockId === parent
    );
  },

  gapClosed(state, parentView) {
    return state.runStart <= parentView + 1;
  },

  isForeign(vote, own) {
    return own === undefined || !sameSubject(own.subject, vote.subject);
  },

  replays() {
    return true;
  },
};
