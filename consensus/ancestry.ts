// S4: may this proposal follow, and on what does an own one stand? Every answer is "yes", "never" or "not yet, this is missing".
import { leaderOf } from './config.ts';
import { closesEpoch, type State } from './state.ts';
import type { BlockFacts, NotarizeVote, ValidatorIndex } from './types.ts';

export type Missing = { view: number; want: 'notarize' | 'nullify' };

export type Ancestry =
  | { status: 'admissible' }
  | { status: 'invalid'; reason: string }
  /** `missing` may be empty: then it is a certification or a commit of our own that is under way. */
  | { status: 'pending'; missing: Missing[] };

/** Questions about one gap asked at a time; the rest follows as answers come. */
const missingMax = 8;

/** The views in (parentView, state.view) without nullification, highest first, at most `missingMax`. */
export function missingNullifications(state: State, parentView: number): Missing[] {
  const missing: Missing[] = [];
  for (let view = state.runStart - 1; view > parentView && missing.length < missingMax; view -= 1) {
    if (state.views.get(view)?.nullification === undefined) missing.push({ view, want: 'nullify' });
  }
  return missing;
}

/** W9: what the header says of itself, before anything is known of the parent. Returns what is wrong. */
function checkShape(state: State, vote: NotarizeVote, block: BlockFacts): string | undefined {
  const { view, parentView } = vote.subject;
  if (parentView >= view) return `parent view ${parentView} is not below view ${view}`;
  if (block.epoch !== state.config.epoch) return `header names epoch ${block.epoch}`;
  if (block.view === view) {
    if (block.proposer !== leaderOf(state.config, view)) return `header names proposer ${block.proposer}`;
  } else if (!(block.closing && block.view < view && block.view <= parentView)) {
    return `header names view ${block.view}, and this is no re-proposal of a closing block`;
  }
  return undefined;
}

/** S4 and W9 for a proposal of the current view. `reproposal` is the parent block itself. */
export function checkAncestry(state: State, vote: NotarizeVote, block: BlockFacts): Ancestry {
  const { view, parentView } = vote.subject;
  const wrong = checkShape(state, vote, block);
  if (wrong !== undefined) return { status: 'invalid', reason: wrong };
  if (parentView < state.finalizedView) {
    return {
      status: 'invalid',
      reason: `parent view ${parentView} is below the finalized view ${state.finalizedView}`,
    };
  }
  const reproposal = block.view !== view;
  const parentId = reproposal ? block.id : block.parent;
  if (!state.rules.parentHolds(state, parentView, parentId)) {
    const record = state.views.get(parentView);
    const known = parentView === state.finalizedView ? state.finalizedId : record?.notarization?.subject.blockId;
    if (known !== undefined && known !== parentId)
      return { status: 'invalid', reason: `view ${parentView} holds another block than the parent` };
    return { status: 'pending', missing: known === undefined ? [{ view: parentView, want: 'notarize' }] : [] };
  }
  if (!state.rules.gapClosed(state, parentView)) {
    return { status: 'pending', missing: missingNullifications(state, parentView) };
  }
  if (reproposal) return { status: 'admissible' };
  const parent = state.blocks.get(parentId)?.facts;
  if (parent === undefined) return { status: 'pending', missing: [] }; // finalized, but not yet caught up with here
  if (closesEpoch(state, parent)) return { status: 'invalid', reason: 'only itself may follow a closing block' };
  if (block.height !== parent.height + 1)
    return { status: 'invalid', reason: `height ${block.height} after ${parent.height}` };
  if (block.time <= parent.time) return { status: 'invalid', reason: 'time does not rise' };
  return { status: 'admissible' };
}

/** W6: the number of consecutive empty blocks at the tip of the certified chain, counted up to `max`. */
export function emptyRun(state: State, tip: BlockFacts, max: number): number {
  let count = 0;
  let block: BlockFacts | undefined = tip;
  while (count < max && block?.empty) {
    count += 1;
    block = state.blocks.get(block.parent)?.facts;
  }
  return count;
}

/** The parent of the next own proposal: the highest certified or finalized view. Lower ones could not pass either. */
export function ownParent(state: State): { view: number; block: BlockFacts | undefined } {
  const view = state.certifiedView;
  const id = view === state.finalizedView ? state.finalizedId : state.views.get(view)?.notarization?.subject.blockId;
  return { view, block: id === undefined ? undefined : state.blocks.get(id)?.facts };
}

/** Whoever proposed in `view` knows what stands below it (S8: asked first). */
export function askFirst(state: State, view: number): ValidatorIndex {
  return leaderOf(state.config, Math.max(1, view));
}
