// Engines and shells with one rule broken. Each must be caught by the simulator within its stated number of seeds: an oracle
// that never speaks proves nothing.
import { rules } from '../../consensus/rules.ts';
import type { State } from '../../consensus/state.ts';
import { subjectKey } from '../../consensus/tally.ts';
import type { Event } from '../../consensus/types.ts';
import type { Options } from './scenario.ts';
import type { Quirks } from './world.ts';

export type Canary = {
  name: string;
  rule: string;
  quirks: Quirks;
  options?: Partial<Options>;
  /** What the oracle must say: not just that something broke. */
  says: RegExp;
  /** Caught by one of seeds 1..seedsMax. */
  seedsMax: number;
};

/** W11 would notice most of what a broken journal does; without it the double votes themselves must be seen. */
const blindToRollback = { isForeign: () => false };

/** A second proposal of the leader is taken as if there had been no first. */
function takesSecondProposal(state: State, event: Event): void {
  if (event.type !== 'proposal') return;
  const record = state.views.get(event.vote.subject.view);
  if (
    record?.proposal === undefined ||
    record.leader === state.config.me ||
    record.proposal.subject.blockId === event.block.id
  )
    return;
  record.slot = 'empty';
  record.proposal = undefined;
  record.ownNotarize = undefined;
  record.tally.notarize.delete(record.leader);
}

/** When the next view brings nothing, it goes back and nullifies the view that it has voted to finalize. */
function nullifiesAfterFinalize(state: State, event: Event): void {
  const record = state.views.get(state.view - 1);
  if (event.type !== 'tick' || record?.ownFinalize === undefined || record.view <= state.finalizedView || !state.voting)
    return;
  if (event.monotonicMs - state.enteredAtMs < state.config.timings.leaderTimeoutMs / 2) return;
  record.ownFinalize = undefined;
  record.certification = 'none';
  state.view = record.view;
  state.enteredAtMs = event.monotonicMs - state.config.timings.certificationTimeoutMs - 1;
  state.timerBaseMs = state.enteredAtMs;
}

/** A repeated vote counts again. */
function countsTwice(state: State, event: Event): void {
  if (event.type !== 'vote') return;
  const tally = state.views.get(event.vote.subject.view)?.tally;
  if (tally?.[event.vote.kind].get(event.vote.signer) === undefined) return;
  const key = subjectKey(event.vote.kind, event.vote.subject);
  tally.counts.set(key, (tally.counts.get(key) ?? 0) + 1);
}

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

export const canaries: readonly Canary[] = [
  {
    name: 'quorum one too small',
    rule: 'W2',
    quirks: { rules: { quorum: (n) => rules.quorum(n) - 1 } },
    options: { validators: 4 },
    says: /make a quorum/,
    seedsMax: 5,
  },
  {
    name: 'a second notarize in a view',
    rule: 'S5',
    quirks: { beforeStep: takesSecondProposal, rules: blindToRollback },
    options: { validators: 4, byzantine: ['equivocator'] },
    says: /signed notarize .* and notarize/,
    seedsMax: 10,
  },
  {
    name: 'finalize after nullify',
    rule: 'S7',
    quirks: {
      rules: {
        mayFinalize: (state, record) =>
          record.view > state.finalizedView &&
          record.ownFinalize === undefined &&
          record.notarization !== undefined &&
          record.certification === 'valid',
      },
    },
    options: { validators: 4 },
    says: /signed nullify .* and finalize/,
    seedsMax: 40,
  },
  {
    name: 'nullify after finalize',
    rule: 'S6',
    quirks: { beforeStep: nullifiesAfterFinalize, rules: { ...blindToRollback, mayNullify: () => true } },
    options: { validators: 4 },
    says: /signed nullify .* and finalize/,
    seedsMax: 40,
  },
  {
    name: 'votes leave before the sync',
    rule: 'W1',
    quirks: { releasesEarly: true },
    options: { validators: 4, crashy: true },
    says: /before it was durable/,
    seedsMax: 5,
  },
  {
    name: 'blocks are not stored with the vote',
    rule: 'W1',
    quirks: { skipsStore: true },
    options: { validators: 4 },
    says: /before its block was durable/,
    seedsMax: 5,
  },
  {
    name: 'blocks are told final before they are durable',
    rule: 'W1',
    quirks: { tellsEarly: true },
    options: { validators: 4, crashy: true },
    says: /is final, and lost it/,
    seedsMax: 120,
  },
  {
    name: 'own votes are not replayed, and W11 does not look',
    rule: 'W1',
    quirks: {
      rules: { ...blindToRollback, replays: (record) => record.kind !== 'vote' && record.kind !== 'notarized' },
    },
    options: { validators: 4, crashy: true },
    says: /honest \d signed/,
    seedsMax: 60,
  },
  {
    name: 'own votes are not replayed, and W11 looks',
    rule: 'W11',
    quirks: { rules: { replays: (record) => record.kind !== 'vote' && record.kind !== 'notarized' } },
    options: { validators: 4, crashy: true },
    says: /JOURNAL_ROLLED_BACK/,
    seedsMax: 20,
  },
  {
    name: 'the floor goes back',
    rule: 'W1',
    quirks: { floorGoesBack: true, rules: blindToRollback },
    options: { validators: 4, crashy: true },
    says: /honest \d signed/,
    seedsMax: 60,
  },
  {
    name: 'a journal loses its end, and W11 does not look',
    rule: 'W11',
    quirks: { rules: blindToRollback },
    options: { validators: 4, byzantine: [], crashy: true, rollsBack: true, strict: true },
    says: /honest \d signed/,
    seedsMax: 60,
  },
  {
    name: 'a gap without nullifications is accepted',
    rule: 'S4',
    quirks: { rules: { gapClosed: () => true } },
    options: { validators: 4, byzantine: ['forker'] },
    says: /CERTIFICATES_CONFLICT|final at/,
    seedsMax: 60,
  },
  {
    name: 'a parent that is not certified here is accepted',
    rule: 'S4',
    quirks: { rules: { parentHolds: () => true } },
    options: { validators: 7, byzantine: ['forker', 'forker'] },
    says: /is final after|final at/,
    seedsMax: 60,
  },
  {
    name: 'invalid blocks are voted for',
    rule: 'W4',
    quirks: {
      beforeStep: (_, event) => {
        if (event.type === 'verified' && event.verdict === 'invalid') event.verdict = 'valid';
      },
    },
    options: { validators: 4, byzantine: ['liar'] },
    says: /certifies an invalid block/,
    seedsMax: 10,
  },
  {
    name: 'a repeated vote counts twice',
    rule: 'W13',
    quirks: { beforeStep: countsTwice },
    options: { validators: 4 },
    says: /make a quorum/,
    seedsMax: 40,
  },
  {
    name: 'a closing block is followed like any other',
    rule: 'W10',
    quirks: {
      beforeStep: (_, event) => {
        if ('block' in event && event.block !== undefined) event.block = { ...event.block, closing: false };
      },
    },
    options: { validators: 4, closes: true },
    says: /no progress|follows the closing block/,
    seedsMax: 5,
  },
  {
    name: 'own votes do not re-enter the tally after a restart',
    rule: 'W1',
    quirks: { beforeStep: forgetsOwnInTally },
    options: { validators: 4, byzantine: ['silent'], darkEnd: true },
    says: /no progress/,
    seedsMax: 60,
  },
  {
    name: 'nullify is never sent again',
    rule: 'S6',
    quirks: {
      beforeStep: (state) => {
        state.nullifyRetryAtMs = undefined;
      },
    },
    options: { validators: 4, byzantine: ['silent'], crashy: false, loss: 0.4 },
    says: /no progress/,
    seedsMax: 150,
  },
];
