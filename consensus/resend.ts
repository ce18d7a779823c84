// What was journaled may have been lost on its way: after a restart to all, after a reconnect to one (W1, W6).
import { ownVotesAbove } from './ballot.ts';
import { broadcastEntry, exitsOf } from './resolver.ts';
import { broadcast, emit, type State } from './state.ts';
import type { Message, ValidatorIndex, Vote } from './types.ts';

/** Own votes of unfinished views sent at once; older ones have no effect that the certificates beside them lack. */
const votesMax = 12;

/** The own notarize of a view that we lead goes with its block, or nobody could use it. */
function messageOf(state: State, vote: Vote): Message {
  if (vote.kind === 'notarize') {
    const block = state.blocks.get(vote.subject.blockId)?.facts;
    const leads = state.views.get(vote.subject.view)?.leader === vote.signer;
    if (leads && block !== undefined) return { type: 'proposal', vote, block };
  }
  return { type: 'vote', vote };
}

/** The undurable ones are on their way already, in order. */
function durable(state: State): Vote[] {
  const undurable = new Set(state.undurable.map((each) => each.vote));
  return ownVotesAbove(state, state.finalizedView, votesMax).filter((vote) => !undurable.has(vote));
}

/** Once, when voting begins. */
export function resendAll(state: State): void {
  for (const vote of durable(state)) broadcast(state, messageOf(state, vote));
  broadcastEntry(state);
}

/** After a (re)connect: our way into the current view and our unfinished votes. */
export function resendTo(state: State, peer: ValidatorIndex, finalizedView: number): void {
  if (peer === state.config.me) return;
  const send = (message: Message): void => emit(state, { type: 'send', peer, message });
  if (state.finalization !== undefined && finalizedView < state.finalizedView) {
    send({ type: 'certificate', certificate: state.finalization });
  }
  if (state.ended) return;
  if (state.view - 1 > state.finalizedView) {
    for (const certificate of exitsOf(state, state.view - 1)) send({ type: 'certificate', certificate });
  }
  for (const vote of durable(state)) send(messageOf(state, vote));
}
