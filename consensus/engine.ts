// The only entry point, and the folder's door: one event in, its effects out. README.md is the specification; rule numbers are cited where they act.
import { ownParent } from './ancestry.ts';
import { castFinalize } from './ballot.ts';
import {
  certificateIsNew,
  checkEnd,
  onCertificate,
  prune,
  setCertified,
  setDiverged,
  tryCertify,
} from './certificates.ts';
import { beginView } from './enter.ts';
import { showFinalHeight, showHello } from './held.ts';
import { hear, hearAll } from './leaders.ts';
import { advanceProposal, learnProposed, onVerified } from './proposals.ts';
import { advanceOwn, onBuilt } from './propose.ts';
import { resendAll, resendTo } from './resend.ts';
import { answerView, settleBlock } from './resolver.ts';
import { checkAnswers, onAnswered, votesOf } from './signOnce.ts';
import { emit, journal, learnBlock, type State, viewOf } from './state.ts';
import { formCertificate } from './tally.ts';
import { nextWakeAtMs, runTimers } from './timers.ts';
import {
  assert,
  type BlockFacts,
  type Certificate,
  type Effect,
  type Event,
  type Moment,
  type NotarizeVote,
  type Verdict,
  type Vote,
} from './types.ts';
import { countVote, inWindow, joinNullify, onVote, voteIsNeeded } from './votes.ts';

export { isDecided } from './certificates.ts';
export { checkConfig, faultsOf, leaderOf, quorumOf } from './config.ts';
export { liveRecords, replay, viewOfRecord } from './journal.ts';
export { packRecord, unpackRecord } from './records.ts';
export { answerView } from './resolver.ts';
export { createState, type Modules, type State } from './state.ts';

/** A step that does not come to rest is a bug, not a load. */
const roundsMax = 10_000;

/**
 * Applies `event` to `state` in place. Deterministic: the same state and event give the same effects. After a halt: none.
 * `at`: the tick that goes before it, in the same step: deadlines are looked at once, with what the event says.
 */
export function step(state: State, event: Event, at?: Moment): Effect[] {
  if (state.halted !== undefined) return event.type === 'start' && !state.started ? restoredHalt(state) : [];
  const out: Effect[] = [];
  state.out = out;
  assert(state.started || event.type === 'tick' || event.type === 'start', 'the first events are tick and start');
  if (at !== undefined) advance(state, at);
  handle(state, event);
  // Nothing follows from it now.
  if (event.type === 'cosigned') return out;
  if (state.started) settle(state);
  return out;
}

function advance(state: State, { monotonicMs, wallMs }: Moment): void {
  assert(monotonicMs >= state.nowMs, 'the monotonic clock never goes back');
  state.nowMs = monotonicMs;
  state.wallMs = wallMs;
}

function handle(state: State, event: Event): void {
  switch (event.type) {
    case 'tick':
      advance(state, event);
      return;
    case 'start':
      start(state);
      return;
    case 'vote':
      onVote(state, event.vote);
      return;
    case 'certificate':
      if (!state.ended) onCertificate(state, event.certificate);
      return;
    case 'proposal':
      onProposal(state, event.vote, event.block);
      return;
    case 'verified':
      onVerified(state, event.view, event.blockId, event.verdict);
      return;
    case 'certified':
      onCertified(state, event.view, event.blockId, event.verdict);
      return;
    case 'built':
      onBuilt(state, event.view, event.block);
      return;
    case 'fetched':
      onFetched(state, event.block);
      return;
    case 'journaled':
      onJournaled(state, event.seq);
      return;
    case 'heard':
      hear(state.presence, event.peer, state.nowMs);
      return;
    case 'work':
      state.workPending = event.pending;
      state.workFull = event.pending && event.full === true;
      return;
    case 'connected':
      hear(state.presence, event.peer, state.nowMs);
      showHello(state, event.peer, event.finalizedView);
      resendTo(state, event.peer, event.finalizedView);
      return;
    case 'cosigned':
      showFinalHeight(state, event.peer, event.height);
      return;
    case 'request':
      for (const certificate of answerView(state, event.view)) {
        emit(state, { type: 'send', peer: event.peer, message: { type: 'certificate', certificate } });
      }
      return;
    case 'asked':
      emit(state, {
        type: 'send',
        peer: event.peer,
        message: { type: 'yourVotes', votes: votesOf(state, event.peer) },
      });
      return;
    case 'answered':
      onAnswered(state, event.peer, event.votes);
      return;
    case 'committed':
      onCommitted(state, event.view, event.block);
      return;
  }
}

/** Everything that the event made possible, until nothing moves any more. */
function settle(state: State): void {
  for (let round = 0; state.halted === undefined; round += 1) {
    assert(round < roundsMax, 'a step must come to rest');
    if (state.voting && !state.resumed) resume(state);
    state.dirty = false;
    for (const view of state.waiting) tryCertify(state, view);
    if (!state.ended) {
      advanceProposal(state);
      joinNullify(state);
      advanceOwn(state);
      runTimers(state);
    }
    if (!state.dirty) break;
  }
  if (state.halted !== undefined) return;
  const wakeAtMs = state.ended ? undefined : nextWakeAtMs(state);
  if (wakeAtMs === state.wakeAtMs) return;
  state.wakeAtMs = wakeAtMs;
  emit(state, wakeAtMs === undefined ? { type: 'wake' } : { type: 'wake', atMs: wakeAtMs });
}

function start(state: State): void {
  assert(!state.started, 'an engine starts once');
  state.started = true;
  hearAll(state.presence, state.nowMs);
  beginView(state);
  if (state.finalizedView > state.floor.view && state.finalization !== undefined) {
    const block = state.blocks.get(state.finalizedId)?.facts;
    emit(state, { type: 'finalized', certificate: state.finalization, ...(block !== undefined && { block }) });
  }
  const last = state.blocks.get(state.finalizedId);
  if (last !== undefined) checkEnd(state, last.facts);
  checkAnswers(state);
  // Own votes alone can be a quorum (n = 1): nothing else would count them again.
  for (const record of [...state.views.values()]) {
    if (record.view <= state.finalizedView) continue;
    for (const vote of [record.ownNotarize, record.ownNullify, record.ownFinalize]) {
      if (vote !== undefined && state.quorum === 1)
        onCertificate(state, formCertificate(record.tally, vote, state.quorum));
    }
  }
}

/** W4: the journal says that this state had diverged; a restart does not heal it. */
function restoredHalt(state: State): Effect[] {
  state.started = true;
  const code = state.halted ?? 'STATE_DIVERGED';
  return [
    {
      type: 'halt',
      code,
      view: state.view,
      detail: 'this node stopped for this reason before; rebuild it from a snapshot',
      evidence: [],
    },
  ];
}

/** W11 is settled: votes that a crash kept back are made up for, those that may be lost are sent again. */
function resume(state: State): void {
  state.resumed = true;
  // The time in which we could not vote was not the leader's.
  state.enteredAtMs = state.nowMs;
  state.timerBaseMs = undefined;
  resendAll(state);
  for (const [view, record] of state.views) if (view > state.finalizedView) castFinalize(state, record);
}

/** S2: the vote is counted like any other; its block is kept if it is the slot's. */
function onProposal(state: State, vote: NotarizeVote, block: BlockFacts): void {
  const { view, blockId } = vote.subject;
  assert(blockId === block.id, 'a proposal comes with its own block');
  if (vote.signer === state.config.me) {
    onVote(state, vote);
    return;
  }
  if (!inWindow(state, view)) {
    state.counters.proposalsOutOfWindow += 1;
    return;
  }
  onVote(state, vote);
  if (state.halted !== undefined || view <= state.finalizedView) return;
  const record = viewOf(state, view);
  if (vote.signer !== record.leader) return;
  learnProposed(state, record, block);
  checkEnd(state, block); // finalized before it was seen: a leader that does not know yet proposes it again
}

function onCertified(state: State, view: number, blockId: string, verdict: Verdict): void {
  const record = state.views.get(view);
  const block = state.blocks.get(blockId);
  if (record === undefined || block === undefined || record.certification !== 'asked') return;
  if (record.notarization?.subject.blockId !== blockId) return;
  if (verdict === 'valid') {
    block.here = true;
    setCertified(state, record, block.facts);
  } else if (verdict === 'invalid') {
    // Decided meanwhile, and not for this block: a verdict on a lost branch says nothing about our state.
    const lost = view <= state.finalizedView && blockId !== state.finalizedId;
    if (!lost) setDiverged(state, record, block.facts);
  } else if (verdict.retryAtWallMs !== undefined) {
    record.certifyAtWallMs = verdict.retryAtWallMs;
    state.certifyLater.add(view);
  }
}

/** Only what was asked for, or what the slot or a notarization names, is kept (W13). */
function onFetched(state: State, facts: BlockFacts): void {
  const known = state.blocks.get(facts.id);
  if (known !== undefined) {
    known.here = true;
    settleBlock(state, facts.id);
    return;
  }
  const asked = state.asks.get(`block ${facts.id}`);
  if (asked === undefined) return;
  settleBlock(state, facts.id);
  learnBlock(state, facts, asked.view).here = true;
  state.dirty = true;
  checkEnd(state, facts);
}

/** W1: an own vote counts from here on. */
function onJournaled(state: State, seq: number): void {
  assert(seq <= state.seq, 'only what was journaled becomes durable');
  while (state.halted === undefined) {
    const first = state.undurable[0];
    if (first === undefined || first.seq > seq) return;
    state.undurable.shift();
    if (first.vote.subject.view >= state.viewsFrom) countVote(state, first.vote);
  }
}

/** The floor rises to what the store durably holds, never further and never back (W1). */
function onCommitted(state: State, provenIn: number, block: BlockFacts): void {
  // A closing block is finalized in any view in which it stands (W9), and this engine may have ended with another one than
  // the certificate that came with the block is of.
  const view = state.ended && block.id === state.finalizedId ? Math.min(provenIn, state.finalizedView) : provenIn;
  if (view <= state.floor.view) return;
  assert(view <= state.finalizedView, 'only what is finalized is committed');
  const known = learnBlock(state, block, view);
  known.here = true;
  known.stored = true;
  const certificate = view === state.finalizedView ? state.finalization : state.views.get(view)?.finalization;
  state.floor = { view, block, ...(certificate !== undefined && { certificate }) };
  journal(state, { kind: 'floor', floor: state.floor });
  prune(state);
  state.dirty = true;
  checkEnd(state, block);
}

/** W13: would `step` use this? Cheap; asked before signatures are verified, so that repetition costs nothing. */
export function needs(state: State, message: Vote | Certificate): boolean {
  if (state.halted !== undefined) return false;
  if ('signer' in message) return voteIsNeeded(state, message);
  return !state.ended && certificateIsNew(state, message);
}

export type Status = {
  epoch: number;
  view: number;
  leader: number;
  /** The tip that new transactions must be valid against (W5), and what its view is. */
  certifiedView: number;
  /** Absent while its block has not been seen here. */
  certifiedBlock: BlockFacts | undefined;
  finalizedView: number;
  floorView: number;
  voting: boolean;
  ended: boolean;
  halted: State['halted'];
  viewsRetained: number;
  asksOpen: number;
  counters: State['counters'];
};

/** For RPC, metrics and `weft top`: a copy. */
export function statusOf(state: State): Status {
  return {
    epoch: state.config.epoch,
    view: state.view,
    leader: viewOf(state, state.view).leader,
    certifiedView: state.certifiedView,
    certifiedBlock: ownParent(state).block,
    finalizedView: state.finalizedView,
    floorView: state.floor.view,
    voting: state.voting,
    ended: state.ended,
    halted: state.halted,
    viewsRetained: state.views.size,
    asksOpen: state.asks.size,
    counters: { ...state.counters },
  };
}
