// S3 and S7: what a certificate does, whether it was formed here or received, and how certification leads on from it.
import { castFinalize } from './ballot.ts';
import { enterView } from './enter.ts';
import { checkCertificate } from './evidence.ts';
import { hold, releaseHeld } from './held.ts';
import { markFailed, markNotarized } from './leaders.ts';
import { askBlock, askViews, retireAsks, settleView } from './resolver.ts';
import { checkOwnInCertificate, rememberNewest } from './signOnce.ts';
import { broadcast, closesEpoch, emit, halt, journal, learnBlock, type State, store, viewOf } from './state.ts';
import { sameSubject } from './tally.ts';
import type { BlockFacts, Certificate, Finalization, Notarization, Vote } from './types.ts';
import type { ViewRecord } from './view.ts';

/** Would this certificate tell anything new? */
export function certificateIsNew(state: State, certificate: Certificate): boolean {
  const { view } = certificate.subject;
  if (view <= state.finalizedView)
    return view === state.finalizedView && certificate.kind === 'finalize' && state.finalization === undefined;
  const record = state.views.get(view);
  if (record === undefined) return true;
  return heldOf(record, certificate.kind) === undefined;
}

function heldOf(record: ViewRecord, kind: Certificate['kind']): Certificate | undefined {
  return kind === 'notarize' ? record.notarization : kind === 'nullify' ? record.nullification : record.finalization;
}

/**
 * The certificate of what this vote is for is held: it can decide nothing any more. It is still counted, for answers (W11) and comparisons
 * (W12), and who reports evidence verifies both votes of it.
 */
export function isDecided(state: State, vote: Vote): boolean {
  const record = state.views.get(vote.subject.view);
  const held = record === undefined ? undefined : heldOf(record, vote.kind);
  return held !== undefined && sameSubject(held.subject, vote.subject);
}

/** S3: each certificate is kept, journaled, and sent once to who may lack it. */
export function onCertificate(state: State, certificate: Certificate): void {
  const { view } = certificate.subject;
  if (conflicts(state, certificate) || checkOwnInCertificate(state, certificate)) return;
  if (!certificateIsNew(state, certificate)) return;
  const record = viewOf(state, view);
  checkCertificate(state, record, certificate);
  if (certificate.kind === 'notarize') record.notarization = certificate;
  else if (certificate.kind === 'nullify') record.nullification = certificate;
  else record.finalization = certificate;
  journal(state, { kind: 'certificate', certificate });
  // What ends a view without a block is rare, and nobody may wait for it: W7 and every proposal after it depend on it.
  if (certificate.kind === 'nullify') broadcast(state, { type: 'certificate', certificate });
  else hold(state, certificate);
  settleView(state, view, certificate.kind);
  state.dirty = true;
  if (certificate.kind === 'finalize') finalize(state, certificate);
  else if (certificate.kind === 'notarize') notarized(state, record, certificate);
  else nullified(state, record);
}

/** While at most f lie: one notarized block a view, and no view both nullified and finalized. */
function conflicts(state: State, certificate: Certificate): boolean {
  const { view } = certificate.subject;
  const record = state.views.get(view);
  const against: (Certificate | undefined)[] =
    certificate.kind === 'nullify'
      ? [record?.finalization]
      : [
          record?.notarization,
          record?.finalization,
          ...(certificate.kind === 'finalize' ? [record?.nullification] : []),
        ];
  for (const other of against) {
    if (other === undefined) continue;
    if (certificate.kind !== 'nullify' && other.kind !== 'nullify' && sameSubject(other.subject, certificate.subject))
      continue;
    halt(state, 'CERTIFICATES_CONFLICT', view, `view ${view} holds two certificates that exclude each other`, [
      other,
      certificate,
    ]);
    return true;
  }
  return false;
}

function notarized(state: State, record: ViewRecord, certificate: Notarization): void {
  const block = state.blocks.get(certificate.subject.blockId);
  if (block !== undefined && record.view > block.lastView) block.lastView = record.view;
  markNotarized(state.presence, record.leader, state.nowMs);
  state.waiting.add(record.view);
}

function nullified(state: State, record: ViewRecord): void {
  countTurn(state, record);
  while (state.views.get(state.runStart - 1)?.nullification !== undefined) state.runStart -= 1;
  if (record.view >= state.view) enterView(state, record.view + 1);
}

/** W3: the leader's turn ran out here, by our own timer in full or by its own late nullify, while a quorum voted. */
export function countTurn(state: State, record: ViewRecord): void {
  if (record.turnCounted || record.notarization !== undefined) return;
  const { nullifyReason: reason } = record;
  if (reason !== 'leader' && reason !== 'certification' && reason !== 'leaderLate') return;
  if (record.nullification === undefined && record.tally.voters.size < state.quorum) return;
  record.turnCounted = true;
  markFailed(state.presence, record.leader);
}

/** Looks again at a notarized view: once its block and its parent are there, it is certified or the shell is asked to. */
export function tryCertify(state: State, view: number): void {
  if (state.ended) return;
  const record = state.views.get(view);
  const subject = record?.notarization?.subject;
  if (record === undefined || subject === undefined || view <= state.finalizedView || record.certification !== 'none') {
    state.waiting.delete(view);
    return;
  }
  const known = state.blocks.get(subject.blockId);
  if (known === undefined) {
    askBlock(state, subject.blockId, view);
    return;
  }
  const block = known.facts;
  const { parentView } = subject;
  const reproposal = block.view !== view;
  const parentId = reproposal ? block.id : block.parent;
  if (!state.rules.parentHolds(state, parentView, parentId)) {
    const parent = state.views.get(parentView);
    const id = parentView === state.finalizedView ? state.finalizedId : parent?.notarization?.subject.blockId;
    if (parentView < state.finalizedView || (id !== undefined && id !== parentId)) {
      // A quorum stands behind a block beside the finalized chain, or behind a header that does not fit its proposal.
      const evidence = [record.notarization, state.finalization, parent?.notarization].filter(
        (each) => each !== undefined,
      );
      halt(
        state,
        'CERTIFICATES_CONFLICT',
        view,
        `the notarized block of view ${view} does not descend from view ${parentView}`,
        evidence,
      );
    } else if (id === undefined) askViews(state, [{ view: parentView, want: 'notarize' }], view);
    return;
  }
  state.waiting.delete(view);
  // A closing block proposed again was executed and certified the first time (W9); one that we verified is the same work.
  if (reproposal || (record.slot === 'verified' && record.proposal?.subject.blockId === block.id)) {
    setCertified(state, record, block);
    return;
  }
  record.certification = 'asked';
  emit(state, { type: 'certify', view, block });
}

/** S7: the notarized block of a view executes to its roots here. */
export function setCertified(state: State, record: ViewRecord, block: BlockFacts): void {
  if (record.certification === 'valid' || record.view <= state.finalizedView) return;
  record.certification = 'valid';
  record.certifyAtWallMs = undefined;
  store(state, learnBlock(state, block, record.view));
  journal(state, { kind: 'certification', view: record.view, block, valid: true });
  if (record.view > state.certifiedView) state.certifiedView = record.view;
  state.finalizeRetryAtMs ??= state.nowMs + state.config.timings.retryMs;
  state.dirty = true;
  castFinalize(state, record);
  if (record.view >= state.view) enterView(state, record.view + 1);
}

/** W4: our state is wrong, or more than f lie. Never "nullify and go on". */
export function setDiverged(state: State, record: ViewRecord, block: BlockFacts): void {
  record.certification = 'invalid';
  journal(state, { kind: 'certification', view: record.view, block, valid: false });
  const evidence = [record.notarization, record.finalization].filter((each) => each !== undefined);
  halt(
    state,
    'STATE_DIVERGED',
    record.view,
    `block ${block.id} is notarized and does not execute to its roots here`,
    evidence,
  );
}

/** S3: unchained: whatever view we are in, the block and all its ancestors are final. */
function finalize(state: State, certificate: Finalization): void {
  const { view, blockId } = certificate.subject;
  const record = viewOf(state, view);
  markNotarized(state.presence, record.leader, state.nowMs);
  state.finalizedView = view;
  state.finalizedId = blockId;
  state.finalization = certificate;
  state.finalizedAtMs = state.nowMs;
  if (view > state.certifiedView) state.certifiedView = view;
  const known = state.blocks.get(blockId);
  if (known !== undefined) {
    known.lastView = Math.max(known.lastView, view);
    // Header, body and certificate are durable before anybody is told (W1). A body that is still missing is caught up with.
    store(state, known);
  }
  emit(state, { type: 'finalized', certificate, ...(known !== undefined && { block: known.facts }) });
  if (view >= state.view) enterView(state, view + 1);
  prune(state);
  if (known !== undefined) checkEnd(state, known.facts);
}

/** W10: a closing block directly finalized ends the epoch; nothing is proposed or voted for here any more. */
export function checkEnd(state: State, block: BlockFacts): void {
  if (state.ended || !closesEpoch(state, block) || block.id !== state.finalizedId || state.finalization === undefined)
    return;
  state.ended = true;
  state.voting = false;
  // No timer runs any more.
  releaseHeld(state, true);
  emit(state, { type: 'epochEnded', certificate: state.finalization, block });
}

/** W13: below the last finalized view only what evidence, peers and the journal's floor still need. */
export function prune(state: State): void {
  retireAsks(state);
  const from = Math.min(state.finalizedView - state.config.retentionViews, state.floor.view + 1);
  for (; state.viewsFrom < from; state.viewsFrom += 1) {
    rememberNewest(state, state.views.get(state.viewsFrom));
    state.views.delete(state.viewsFrom);
  }
  for (const view of state.waiting) if (view <= state.finalizedView) state.waiting.delete(view);
  for (const [id, block] of state.blocks) {
    // Above the floor the journal still speaks of them (`liveRecords`).
    if (block.lastView <= state.floor.view && id !== state.finalizedId && id !== state.floor.block.id)
      state.blocks.delete(id);
  }
}
