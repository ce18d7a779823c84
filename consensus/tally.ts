// The votes seen for one view: at most one of each kind per signer (W13). A second, different one is a conflict (W12).
import type {
  Certificate,
  FinalizeVote,
  NotarizeVote,
  NullifyVote,
  Proposal,
  Round,
  ValidatorIndex,
  Vote,
  VoteKind,
} from './types.ts';

export type Tally = {
  notarize: Map<ValidatorIndex, NotarizeVote>;
  nullify: Map<ValidatorIndex, NullifyVote>;
  finalize: Map<ValidatorIndex, FinalizeVote>;
  /** Votes counted per kind and subject. */
  counts: Map<string, number>;
  /** Everybody who sent anything for this view (W3: "while a quorum voted"). */
  voters: Set<ValidatorIndex>;
};

export type Added =
  | { outcome: 'added'; count: number }
  /** The same vote again. */
  | { outcome: 'repeated' }
  /** `other` is the first one; the second is not counted. */
  | { outcome: 'conflict'; other: Vote };

export function createTally(): Tally {
  return { notarize: new Map(), nullify: new Map(), finalize: new Map(), counts: new Map(), voters: new Set() };
}

/** One string per kind and subject within a view. */
export function subjectKey(kind: VoteKind, subject: Proposal | Round): string {
  return kind === 'nullify' || !('blockId' in subject) ? kind : `${kind} ${subject.parentView} ${subject.blockId}`;
}

export function sameSubject(a: Proposal | Round, b: Proposal | Round): boolean {
  return (
    a.epoch === b.epoch &&
    a.view === b.view &&
    ('blockId' in a ? 'blockId' in b && a.blockId === b.blockId && a.parentView === b.parentView : !('blockId' in b))
  );
}

export function voteOf(tally: Tally, kind: VoteKind, signer: ValidatorIndex): Vote | undefined {
  return tally[kind].get(signer);
}

export function addVote(tally: Tally, vote: Vote): Added {
  const first = voteOf(tally, vote.kind, vote.signer);
  if (first !== undefined) {
    return sameSubject(first.subject, vote.subject) ? { outcome: 'repeated' } : { outcome: 'conflict', other: first };
  }
  if (vote.kind === 'notarize') tally.notarize.set(vote.signer, vote);
  else if (vote.kind === 'nullify') tally.nullify.set(vote.signer, vote);
  else tally.finalize.set(vote.signer, vote);
  tally.voters.add(vote.signer);
  const key = subjectKey(vote.kind, vote.subject);
  const count = (tally.counts.get(key) ?? 0) + 1;
  tally.counts.set(key, count);
  return { outcome: 'added', count };
}

/** The certificate of the `quorum` lowest signers of `vote`'s subject. The caller has counted that there are as many. */
export function formCertificate(tally: Tally, vote: Vote, quorum: number): Certificate {
  const votes: Vote[] = [];
  for (const other of tally[vote.kind].values()) if (sameSubject(other.subject, vote.subject)) votes.push(other);
  votes.sort((a, b) => a.signer - b.signer).splice(quorum);
  const signers = votes.map((each) => each.signer);
  const signatures = votes.map((each) => each.signature);
  return vote.kind === 'nullify'
    ? { kind: 'nullify', subject: vote.subject, signers, signatures }
    : { kind: vote.kind, subject: vote.subject, signers, signatures };
}
