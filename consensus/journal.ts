// W1: what a restart takes back from the journal, and what a compacted journal must hold.
import { createState, learnBlock, type Modules, type State, viewOf } from './state.ts';
import { addVote } from './tally.ts';
import { assert, type BlockFacts, type Config, type JournalRecord, type Vote } from './types.ts';

export function viewOfRecord(record: JournalRecord): number {
  switch (record.kind) {
    case 'vote':
    case 'notarized':
      return record.vote.subject.view;
    case 'certificate':
      return record.certificate.subject.view;
    case 'certification':
      return record.view;
    case 'floor':
      return record.floor.view;
  }
}

/**
 * An engine restored from its journal: flags, certificates, verdicts, own votes in the own tally. Records at or below the
 * floor of `config` (the store's last committed block) say nothing any more. `records` in journal order, complete (W11).
 * Throws ConsensusAssertion when the journal's floor is above the store's, or a record is of another epoch.
 */
export function replay(config: Config, modules: Modules, records: readonly JournalRecord[]): State {
  const state = createState(config, modules);
  for (const record of records) {
    const view = viewOfRecord(record);
    if (record.kind === 'floor') {
      assert(
        view <= config.floor.view,
        `the journal's floor (view ${view}) is above the store's last block (view ${config.floor.view})`,
      );
      continue;
    }
    if (view <= config.floor.view || !state.rules.replays(record)) continue;
    restore(state, record);
  }
  let view = state.finalizedView;
  for (const [each, record] of state.views) {
    if (record.nullification !== undefined || (record.certification === 'valid' && each > state.finalizedView))
      view = Math.max(view, each);
    if (record.notarization !== undefined && each > state.finalizedView && record.certification === 'none')
      state.waiting.add(each);
  }
  state.view = view + 1;
  state.runStart = state.view;
  while (state.views.get(state.runStart - 1)?.nullification !== undefined) state.runStart -= 1;
  return state;
}

function restore(state: State, record: JournalRecord): void {
  const known = (block: BlockFacts, view: number): void => {
    const learned = learnBlock(state, block, view);
    learned.here = true;
    learned.stored = true;
    learned.seenAtMs = Number.NEGATIVE_INFINITY;
  };
  switch (record.kind) {
    case 'vote':
    case 'notarized':
      if (record.kind === 'notarized') known(record.block, record.vote.subject.view);
      restoreVote(state, record.vote);
      return;
    case 'certificate': {
      const { certificate } = record;
      const view = viewOf(state, certificate.subject.view);
      if (certificate.kind === 'notarize') view.notarization = certificate;
      else if (certificate.kind === 'nullify') view.nullification = certificate;
      else {
        view.finalization = certificate;
        if (view.view > state.finalizedView) {
          state.finalizedView = view.view;
          state.finalizedId = certificate.subject.blockId;
          state.finalization = certificate;
          state.certifiedView = Math.max(state.certifiedView, view.view);
        }
      }
      return;
    }
    case 'certification':
      known(record.block, record.view);
      viewOf(state, record.view).certification = record.valid ? 'valid' : 'invalid';
      // What diverged once has not healed by a restart (W4).
      if (!record.valid) state.halted = 'STATE_DIVERGED';
      else state.certifiedView = Math.max(state.certifiedView, record.view);
      return;
    case 'floor':
      return;
  }
}

/** Own votes are restored as flags and re-enter the own tally: a cluster that crashed as a whole must count them again. */
function restoreVote(state: State, vote: Vote): void {
  assert(vote.signer === state.config.me, 'the journal holds own votes only');
  assert(vote.subject.epoch === state.config.epoch, 'the journal belongs to this epoch');
  const record = viewOf(state, vote.subject.view);
  addVote(record.tally, vote);
  if (vote.kind === 'nullify') {
    record.ownNullify = vote;
    return;
  }
  if (vote.kind === 'finalize') {
    record.ownFinalize = vote;
    return;
  }
  record.ownNotarize = vote;
  if (record.leader === vote.signer || record.slot === 'empty') {
    record.slot = 'verified';
    record.proposal = vote;
  }
}

/** The records a compacted journal holds: the floor first, own votes above it, certificates and verdicts above the last finalized. */
export function liveRecords(state: State): JournalRecord[] {
  const records: JournalRecord[] = [{ kind: 'floor', floor: state.floor }];
  const views = [...state.views.keys()].filter((view) => view > state.floor.view).sort((a, b) => a - b);
  for (const view of views) {
    const record = viewOf(state, view);
    const unfinished = view > state.finalizedView;
    if (record.ownNotarize !== undefined) {
      const block = state.blocks.get(record.ownNotarize.subject.blockId)?.facts;
      if (block !== undefined) records.push({ kind: 'notarized', vote: record.ownNotarize, block });
    }
    if (record.ownNullify !== undefined) records.push({ kind: 'vote', vote: record.ownNullify });
    if (record.ownFinalize !== undefined) records.push({ kind: 'vote', vote: record.ownFinalize });
    const held = unfinished
      ? [record.notarization, record.nullification]
      : view === state.finalizedView
        ? [record.finalization]
        : [];
    for (const certificate of held) if (certificate !== undefined) records.push({ kind: 'certificate', certificate });
    if (unfinished && (record.certification === 'valid' || record.certification === 'invalid')) {
      const block = state.blocks.get(record.notarization?.subject.blockId ?? '')?.facts;
      if (block !== undefined)
        records.push({ kind: 'certification', view, block, valid: record.certification === 'valid' });
    }
  }
  return records;
}
