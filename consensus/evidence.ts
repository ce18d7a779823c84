// W12: two signed messages of one validator that no honest one sends. Reported once per view, signer and offence.
import { emit, type State } from './state.ts';
import { voteOf } from './tally.ts';
import type { Vote } from './types.ts';
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
