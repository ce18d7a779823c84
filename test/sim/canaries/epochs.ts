// W9, W10, W12, W13: epochs, evidence, bounds.
import { viewOf } from '../../../consensus/state.ts';
import { addVote } from '../../../consensus/tally.ts';
import type { Canary } from './types.ts';

export const epochCanaries: readonly Canary[] = [
  {
    rule: 'W9',
    name: 'a closing block proposed again is refused',
    quirks: {
      beforeStep: (state, event) => {
        if (
          event.type === 'proposal' &&
          event.block.view < event.vote.subject.view &&
          event.vote.signer !== state.config.me
        )
          Object.assign(event, { type: 'heard', peer: event.vote.signer });
      },
    },
    shape: {
      validators: 4,
      epochs: 5,
      latency: 'lossy',
      faults: ['slowLinks', 'slowLinks', 'slowLinks', 'reordering', 'loss', 'loss'],
      phase1Ms: 1500,
    },
    codes: ['NO_PROGRESS', 'HONEST_HALTED'],
    seedsMax: 120,
  },
  {
    rule: 'W10',
    name: 'a closing block is followed like any other',
    quirks: {
      staysInEpoch: true,
      beforeStep: (_, event) => {
        if ('block' in event && event.block !== undefined) event.block = { ...event.block, closing: false };
      },
    },
    shape: { validators: 4, epochs: 3 },
    codes: ['NO_PROGRESS', 'EPOCH_OVERRUN', 'DISAGREEMENT', 'DELIVERED_TWICE'],
    seedsMax: 10,
  },
  {
    rule: 'W10',
    name: 'the journal of the epoch before is replayed',
    quirks: { replaysOldEpoch: true },
    shape: { validators: 4, epochs: 3 },
    codes: ['ConsensusAssertion', 'HONEST_HALTED', 'DOUBLE_VOTE'],
    seedsMax: 10,
  },
  {
    rule: 'W10',
    name: 'a machine stays in the epoch that has ended',
    quirks: { staysInEpoch: true },
    shape: { validators: 4, epochs: 2 },
    codes: ['NO_PROGRESS'],
    seedsMax: 5,
  },
  {
    rule: 'W10',
    name: 'what closed an epoch is not kept for sleepers',
    quirks: { forgetsClosings: true },
    shape: { validators: 4, epochs: 5, faults: ['isolate', 'isolate', 'deadAndCut', 'freeze', 'freeze', 'split'] },
    codes: ['NO_PROGRESS'],
    seedsMax: 80,
  },
  {
    rule: 'W12',
    name: 'two votes of one validator are not reported',
    quirks: { evidence: 'drops' },
    shape: { kind: 'quiet', validators: 4, liars: ['doubleVoter'] },
    codes: ['NO_EVIDENCE'],
    seedsMax: 3,
  },
  {
    rule: 'W12',
    name: 'two different votes are called two votes of one kind',
    quirks: {
      beforeStep: (_, event) => {
        if (event.type === 'vote' && event.vote.kind === 'finalize')
          event.vote = {
            ...event.vote,
            kind: 'notarize',
            subject: { ...event.vote.subject, parentView: event.vote.subject.parentView + 1 },
          };
      },
    },
    shape: { validators: 4, liars: [] },
    codes: ['FALSE_EVIDENCE'],
    seedsMax: 5,
  },
  {
    rule: 'W13',
    name: 'votes are kept from any view ahead',
    quirks: {
      takesAll: true,
      beforeStep: (state, event) => {
        if (event.type !== 'vote' || event.vote.subject.view <= state.view + 1) return;
        addVote(viewOf(state, event.vote.subject.view).tally, event.vote);
      },
    },
    shape: { validators: 4, liars: ['garbage'] },
    codes: ['UNBOUNDED'],
    seedsMax: 20,
  },
  {
    rule: 'W13',
    name: 'old views are never dropped',
    quirks: { retentionViews: 100_000 },
    shape: { validators: 4, liars: [], faults: [] },
    codes: ['UNBOUNDED'],
    seedsMax: 5,
  },
];
