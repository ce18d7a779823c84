// W12: two signed messages of one validator that no honest one sends. Reported once per view, signer and offence.
import { emit, type State } from './state.ts';
import { sameSubject, voteOf } from './tally.ts';
import type { Certificate, Vote } from './types.ts';
import type { ViewRecord } from './view.ts';

function report(state: State, record: ViewRecord, offence: string, a: Vote, b: Vote): void {
  const key = `${b.signer} ${offence}`;
  record.reported ??= new Set();
  if (record.reported.has(key)) return;
  record.reported.add(key);
  state.counters.evidence += 1;
  emit(state, { type: 'evidence', offender: b.signer, a, b });
}

/** Two different votes of one kind in a view. Two proposals of its leader end our part in the view (S5, S7). */
export function reportDouble(state: State, record: ViewRecord, first: Vote, second: Vote): void {
  if (second.kind === 'notarize' && second.signer === record.leader) record.slot = 'equivocated';
  report(state, record, second.kind, first, second);
}

/** Nullify and finalize in one view, whichever came first. `vote` has just been counted. */
export function checkNullifyFinalize(state: State, record: ViewRecord, vote: Vote): void {
  if (vote.kind === 'notarize') return;
  const other = voteOf(record.tally, vote.kind === 'nullify' ? 'finalize' : 'nullify', vote.signer);
  if (other !== undefined) report(state, record, 'nullify+finalize', other, vote);
}

/**
 * Who tells different things to different validators shows here as a vote and a certificate in which others counted another
 * vote of its own. `certificate` holds and has just become known.
 */
export function checkCertificate(state: State, record: ViewRecord, certificate: Certificate): void {
  for (const [place, signer] of certificate.signers.entries()) {
    const counted = voteIn(certificate, place);
    for (const kind of ['notarize', 'nullify', 'finalize'] as const) {
      const other = voteOf(record.tally, kind, signer);
      if (other !== undefined) reportContradiction(state, record, other, counted);
    }
  }
}

/** The same from the other side: `vote` has just been counted. */
export function checkAgainstCertificates(state: State, record: ViewRecord, vote: Vote): void {
  for (const certificate of [record.notarization, record.nullification, record.finalization]) {
    const place = certificate === undefined ? -1 : certificate.signers.indexOf(vote.signer);
    if (certificate !== undefined && place >= 0) reportContradiction(state, record, voteIn(certificate, place), vote);
  }
}

/** Two certificates that exclude each other name f + 1 who signed both: pairs of votes, one of each certificate. */
export function contradictions(a: Certificate, b: Certificate): readonly (readonly [Vote, Vote])[] {
  const pairs: (readonly [Vote, Vote])[] = [];
  for (const [place, signer] of a.signers.entries()) {
    const other = b.signers.indexOf(signer);
    if (other < 0) continue;
    const [first, second] = [voteIn(a, place), voteIn(b, other)];
    if (offenceOf(first, second) !== undefined) pairs.push([first, second]);
  }
  return pairs;
}

function reportContradiction(state: State, record: ViewRecord, first: Vote, second: Vote): void {
  const offence = offenceOf(first, second);
  if (offence !== undefined) report(state, record, offence, first, second);
}

/** Of two votes by one signer in one view. */
function offenceOf(first: Vote, second: Vote): string | undefined {
  if (first.kind === second.kind) return sameSubject(first.subject, second.subject) ? undefined : second.kind;
  return first.kind !== 'notarize' && second.kind !== 'notarize' ? 'nullify+finalize' : undefined;
}

function voteIn(certificate: Certificate, place: number): Vote {
  const { kind, subject, signers, signatures } = certificate;
  return { kind, subject, signer: signers[place], signature: signatures[place] } as Vote;
}
