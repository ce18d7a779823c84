// W1, W11: what leaves before it is safe, and what a machine forgets.
import type { State } from '../../../consensus/state.ts';
import { subjectKey } from '../../../consensus/tally.ts';
import type { Event } from '../../../consensus/types.ts';
import { blindToRollback, type Canary, crashy } from './types.ts';

/** Own votes restored from the journal do not re-enter the own tally. */
function forgetsOwnInTally(state: State, event: Event): void {
  if (event.type !== 'start' || state.config.me === undefined) return;
  for (const record of state.views.values()) {
    for (const vote of [record.ownNotarize, record.ownNullify, record.ownFinalize]) {
      if (vote === undefined || !record.tally[vote.kind].delete(state.config.me)) continue;
      const key = subjectKey(vote.kind, vote.subject);
      record.tally.counts.set(key, (record.tally.counts.get(key) ?? 1) - 1);
    }
  }
}

const withoutVotes = {
  replays: (record: { kind: string }): boolean => record.kind !== 'vote' && record.kind !== 'notarized',
};

export const durabilityCanaries: readonly Canary[] = [
  {
    rule: 'W1',
    name: 'votes leave before the sync',
    quirks: { releasesEarly: true },
    shape: { validators: 4, faults: crashy },
    codes: ['NOT_DURABLE'],
    seedsMax: 5,
  },
  {
    rule: 'W1',
    name: 'blocks are not stored with the vote',
    quirks: { skipsStore: true },
    shape: { validators: 4 },
    codes: ['NOT_DURABLE'],
    seedsMax: 5,
  },
  {
    rule: 'W1',
    name: 'blocks are told final before they are durable',
    quirks: { tellsEarly: true },
    shape: { validators: 4, faults: crashy },
    codes: ['FINAL_LOST'],
    seedsMax: 120,
  },
  {
    rule: 'W1',
    name: 'the floor goes back',
    quirks: { floorGoesBack: true, rules: blindToRollback },
    shape: { validators: 4, faults: crashy },
    codes: ['DOUBLE_VOTE', 'DELIVERED_TWICE', 'HONEST_HALTED', 'ConsensusAssertion', 'NOT_DURABLE'],
    seedsMax: 60,
  },
  {
    rule: 'W1',
    name: 'the floor rises before the store holds its block',
    quirks: { commitsEarly: true },
    shape: { validators: 4, faults: [...crashy, 'crashAtCommits', 'crashAtCommits'] },
    codes: ['ConsensusAssertion', 'FINAL_LOST'],
    seedsMax: 40,
  },
  {
    rule: 'W1',
    name: 'own votes are not replayed, and W11 does not look',
    quirks: { rules: { ...blindToRollback, ...withoutVotes } },
    shape: { validators: 4, faults: crashy },
    codes: ['DOUBLE_VOTE', 'VOTE_AFTER_NULLIFY'],
    seedsMax: 60,
  },
  {
    rule: 'W1',
    name: 'own votes do not re-enter the tally after a restart',
    quirks: { beforeStep: forgetsOwnInTally },
    shape: {
      validators: 4,
      epochs: 1,
      liars: ['silent'],
      latency: 'lossy',
      faults: ['darkEnd', 'loss', 'loss', 'slowLinks', 'slowLinks'],
      phase1Ms: 1500,
    },
    codes: ['NO_PROGRESS'],
    seedsMax: 200,
  },
  {
    rule: 'W11',
    name: 'own votes are not replayed, and W11 looks',
    quirks: { rules: withoutVotes },
    shape: { validators: 4, faults: crashy },
    codes: ['HONEST_HALTED'],
    seedsMax: 20,
  },
  {
    rule: 'W11',
    name: 'a journal loses its end, and W11 does not look',
    quirks: { rules: blindToRollback },
    shape: { validators: 4, liars: [], faults: ['lyingDisk', ...crashy, 'crashAtWrites', 'crashAtWrites'] },
    strict: true,
    codes: ['DOUBLE_VOTE', 'VOTE_AFTER_NULLIFY'],
    seedsMax: 150,
  },
  {
    rule: 'W11',
    name: 'a journal loses its end, and nobody is asked',
    quirks: { votesUnasked: true },
    shape: { validators: 4, liars: [], faults: ['lyingDisk', ...crashy, 'crashAtWrites', 'crashAtWrites'] },
    strict: true,
    codes: ['DOUBLE_VOTE', 'VOTE_AFTER_NULLIFY'],
    seedsMax: 150,
  },
];
