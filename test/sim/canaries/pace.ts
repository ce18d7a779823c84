// S3, W3, W5, W6, W7, W8, S8, S9, the relay rule: nothing that these break is unsafe; they make a chain stand, hurry or wait.
import type { Canary } from './types.ts';

export const paceCanaries: readonly Canary[] = [
  {
    rule: 'S3',
    name: 'a certificate that is held is never sent',
    quirks: {
      beforeStep: (state) => {
        state.held.length = 0;
      },
    },
    shape: { kind: 'quiet', validators: 4, liars: ['selective'] },
    codes: ['LEADER_TIMEOUTS', 'NO_PROGRESS'],
    seedsMax: 150,
  },
  {
    rule: 'S3',
    name: 'who has cosigned one block is believed to lack none',
    quirks: { cosigned: (height) => height + 1_000_000 },
    shape: { kind: 'quiet', validators: 4, liars: ['selective'] },
    codes: ['LEADER_TIMEOUTS', 'NO_PROGRESS'],
    seedsMax: 150,
  },
  {
    rule: 'S8',
    name: 'nothing is ever asked for',
    quirks: { neverFetches: true },
    shape: {
      validators: 4,
      epochs: 1,
      liars: [],
      down: 1,
      faults: ['split', 'split', 'oneWay', 'loss', 'loss', 'loss', 'reordering'],
    },
    codes: ['NO_PROGRESS'],
    seedsMax: 200,
  },
  {
    rule: 'S8',
    name: 'only the leader is asked',
    quirks: { asksOnlyFirst: true },
    shape: {
      validators: 4,
      epochs: 1,
      liars: [],
      down: 1,
      faults: ['split', 'split', 'oneWay', 'loss', 'loss', 'loss', 'reordering'],
    },
    codes: ['NO_PROGRESS'],
    seedsMax: 250,
  },
  {
    rule: 'W3',
    name: 'nobody is ever skipped',
    quirks: {
      beforeStep: (state) => {
        for (const standing of state.presence.standings) {
          standing.failed = false;
          standing.skip = undefined;
        }
      },
    },
    shape: { kind: 'quiet', validators: 4, liars: ['neverProposes'] },
    codes: ['LEADER_TIMEOUTS'],
    seedsMax: 3,
  },
  {
    rule: 'W3',
    name: 'a skip never grows',
    quirks: {
      beforeStep: (state) => {
        for (const standing of state.presence.standings) standing.factor = 1;
      },
    },
    shape: { kind: 'quiet', validators: 4, liars: ['neverProposes'] },
    codes: ['LEADER_TIMEOUTS'],
    seedsMax: 5,
  },
  {
    rule: 'W5',
    name: 'an empty block is refused when one is wanted',
    quirks: { declinesEmpty: true },
    shape: { validators: 4, liars: [], faults: [], down: 0, cutLane: false },
    codes: ['NO_PROGRESS', 'SLOW_WAKE', 'NO_REST'],
    seedsMax: 120,
  },
  {
    rule: 'W5',
    name: 'there is always work',
    quirks: { alwaysWorks: true },
    shape: { validators: 4, liars: [], faults: [], down: 0, cutLane: false },
    codes: ['NO_REST', 'SLOW_WAKE'],
    seedsMax: 20,
  },
  {
    rule: 'W6',
    name: 'an unfinished block is followed at once, always',
    quirks: {
      timings: { finalizeGraceMs: 1 },
      beforeStep: (state) => {
        for (const block of state.blocks.values()) Object.assign(block.facts, { empty: false });
      },
    },
    shape: { validators: 4, latency: 'wan', liars: [], faults: [], down: 0, cutLane: false },
    codes: ['NO_REST'],
    seedsMax: 40,
  },
  {
    rule: 'W7',
    name: 'a silent leader of an idle chain is waited for',
    quirks: { timings: { leaderSilentMs: 100_000 } },
    shape: { validators: 4, epochs: 1, liars: [], faults: [], down: 0, cutLane: false },
    codes: ['SLOW_WAKE'],
    seedsMax: 80,
  },
  {
    rule: 'W8',
    name: 'blocks follow each other without a pause',
    quirks: { timings: { blockIntervalMs: 0 } },
    shape: { kind: 'quiet', validators: 4, liars: [] },
    codes: ['TOO_EARLY'],
    seedsMax: 3,
  },
  {
    rule: 'relay',
    name: 'one dead machine and one cut link',
    quirks: { neverRelays: true },
    shape: { validators: 4, liars: [], faults: ['darkEnd'], down: 1, cutLane: true },
    codes: ['NO_PROGRESS'],
    seedsMax: 10,
  },
];
