// W11: a validator whose journal lost votes must not vote again. Peers and certificates remember what we signed.
import { emit, halt, type State, viewOf } from './state.ts';
import { voteOf } from './tally.ts';
import type { Certificate, ValidatorIndex, Vote } from './types.ts';
import type { ViewRecord } from './view.ts';

/** Votes in an answer: enough for the newest of each kind and the views around them. */
const answerVotesMax = 16;

const kinds = ['notarize', 'nullify', 'finalize'] as const;

function ownVote(record: ViewRecord | undefined, kind: Vote['kind']): Vote | undefined {
  return kind === 'notarize' ? record?.ownNotarize : kind === 'nullify' ? record?.ownNullify : record?.ownFinalize;
}

/** Is this vote, validly signed by our key, one that the journal does not hold? Halts if so. */
export function checkOwnVote(state: State, vote: Vote): boolean {
  const { view } = vote.subject;
  if (view <= state.journalFloorView || view < state.viewsFrom) return false;
  const own = ownVote(state.views.get(view), vote.kind);
  if (!state.rules.isForeign(vote, own)) return false;
  const detail = `a ${vote.kind} vote for view ${view} is signed by our key and is not in our journal`;
  halt(state, 'JOURNAL_ROLLED_BACK', view, detail, own === undefined ? [vote] : [own, vote]);
  return true;
}

/** The same for our signature within a certificate. */
export function checkOwnInCertificate(state: State, certificate: Certificate): boolean {
  const { me } = state.config;
  if (me === undefined) return false;
  const at = certificate.signers.indexOf(me);
  return at >= 0 && checkOwnVote(state, voteIn(certificate, at));
}

function voteIn(certificate: Certificate, at: number): Vote {
  const signer = certificate.signers[at] ?? -1;
  const signature = certificate.signatures[at] ?? new Uint8Array();
  return certificate.kind === 'nullify'
    ? { kind: 'nullify', subject: certificate.subject, signer, signature }
    : { kind: certificate.kind, subject: certificate.subject, signer, signature };
}

/**
 * An answer to our question. With q − 1 others nothing that we ever sent can be unknown to all of them and yet count
 * (without them nothing can be finalized anyway). A later answer still counts against us.
 */
export function onAnswered(state: State, peer: ValidatorIndex, votes: readonly Vote[]): void {
  const { me } = state.config;
  if (me === undefined || peer === me) return;
  for (const vote of votes) if (vote.signer === me && checkOwnVote(state, vote)) return;
  state.answered?.add(peer);
  checkAnswers(state);
}

/** Voting begins when q − 1 others have answered: at once for n = 1. */
export function checkAnswers(state: State): void {
  if (state.config.me === undefined || state.ended || state.answered === undefined) return;
  if (state.answered.size < state.quorum - 1) return;
  state.answered = undefined;
  state.voting = true;
  state.dirty = true;
  emit(state, { type: 'voting' });
}

/** The newest votes of `peer` that we know, from tallies and certificates (the latter outlive our own restarts). */
export function votesOf(state: State, peer: ValidatorIndex): Vote[] {
  const votes: Vote[] = [];
  const views = [...state.views.keys()].sort((a, b) => b - a);
  for (const view of views) {
    const record = viewOf(state, view);
    for (const kind of kinds) {
      if (votes.length >= answerVotesMax) return votes;
      const cast = castIn(record, kind, peer);
      if (cast !== undefined) votes.push(cast);
    }
  }
  for (const vote of state.newestVotes.get(peer)?.values() ?? []) if (votes.length < answerVotesMax) votes.push(vote);
  // The floor's certificate stands in no record after a restart.
  const last = state.finalization;
  const at = last?.signers.indexOf(peer) ?? -1;
  if (last !== undefined && at >= 0 && !state.views.has(last.subject.view)) votes.push(voteIn(last, at));
  return votes;
}

/** Before a view is let go: what its votes say to one of their signers that has lost its journal. Views go in ascending order. */
export function rememberNewest(state: State, record: ViewRecord | undefined): void {
  if (record === undefined) return;
  for (let signer = 0; signer < state.config.validators; signer += 1) {
    for (const kind of kinds) {
      const cast = castIn(record, kind, signer);
      if (cast === undefined) continue;
      const newest = state.newestVotes.get(signer) ?? new Map<Vote['kind'], Vote>();
      state.newestVotes.set(signer, newest.set(kind, cast));
    }
  }
}

function castIn(record: ViewRecord, kind: Vote['kind'], signer: ValidatorIndex): Vote | undefined {
  // What a certificate holds is verified; a vote that came after it may not be.
  return certified(record, kind, signer) ?? voteOf(record.tally, kind, signer);
}

function certified(record: ViewRecord, kind: Vote['kind'], peer: ValidatorIndex): Vote | undefined {
  const certificate =
    kind === 'notarize' ? record.notarization : kind === 'nullify' ? record.nullification : record.finalization;
  const at = certificate?.signers.indexOf(peer) ?? -1;
  return certificate === undefined || at < 0 ? undefined : voteIn(certificate, at);
}
