// S1 to S7, W2, W4: which votes are cast, and what they are counted for.
import { rules } from '../../../consensus/rules.ts';
import type { State } from '../../../consensus/state.ts';
import { subjectKey } from '../../../consensus/tally.ts';
import type { Event } from '../../../consensus/types.ts';
import { blindToRollback, type Canary } from './types.ts';

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

export const votingCanaries: readonly Canary[] = [
  {
    rule: 'S1',
    name: 'a certificate of a view ahead does not lead there',
    quirks: {
      beforeStep: (state, event) => {
        if (event.type === 'certificate' && event.certificate.subject.view > state.view)
          event.certificate = {
            ...event.certificate,
            subject: { ...event.certificate.subject, view: state.finalizedView },
          } as typeof event.certificate;
      },
    },
    shape: {
      validators: 4,
      epochs: 1,
      liars: ['silent'],
      faults: ['isolate', 'isolate', 'isolate', 'freeze', 'freeze'],
    },
    codes: ['NO_PROGRESS', 'HONEST_HALTED'],
    seedsMax: 20,
  },
  {
    rule: 'S2',
    name: 'a leader builds on the last finalized block, whatever is certified',
    quirks: {
      beforeStep: (state) => {
        state.certifiedView = state.finalizedView;
      },
      rules: {
        gapClosed: (state, parentView) =>
          state.views.get(state.view)?.leader === state.config.me || rules.gapClosed(state, parentView),
      },
    },
    shape: { kind: 'quiet', validators: 4, liars: [] },
    codes: ['LEADER_TIMEOUTS', 'SLOW_WAKE', 'NO_REST'],
    seedsMax: 10,
  },
  {
    rule: 'S3',
    name: 'a finalization counts only in the current view',
    quirks: {
      beforeStep: (state) => {
        for (const record of state.views.values()) if (record.view < state.view) record.tally.finalize.clear();
        for (const record of state.views.values()) if (record.view < state.view) record.tally.counts.clear();
      },
    },
    shape: { validators: 4, epochs: 1, latency: 'wan', phase1Ms: 1500 },
    codes: ['NO_PROGRESS', 'NO_REST'],
    seedsMax: 100,
  },
  {
    rule: 'S4',
    name: 'a gap without nullifications is accepted',
    quirks: { rules: { gapClosed: () => true } },
    shape: { validators: 4, liars: ['forker'] },
    codes: ['HONEST_HALTED', 'DISAGREEMENT'],
    seedsMax: 60,
  },
  {
    rule: 'S4',
    name: 'a parent that is not certified here is accepted, and the ledger does not look',
    quirks: { rules: { parentHolds: () => true }, verdict: () => true },
    shape: { validators: 7, epochs: 1, liars: ['forker', 'forker'] },
    codes: ['DISAGREEMENT', 'UNBACKED'],
    seedsMax: 60,
  },
  {
    rule: 'S5',
    name: 'a second notarize in a view',
    quirks: { beforeStep: takesSecondProposal, rules: blindToRollback },
    shape: { validators: 4, liars: ['equivocator'] },
    codes: ['DOUBLE_VOTE'],
    seedsMax: 10,
  },
  {
    rule: 'S5',
    name: 'notarize after nullify',
    quirks: { rules: { mayNotarize: (record) => record.ownNotarize === undefined && record.slot === 'verified' } },
    shape: { validators: 4, faults: ['slowLinks', 'slowLinks', 'reordering', 'reordering'] },
    codes: ['VOTE_AFTER_NULLIFY'],
    seedsMax: 120,
  },
  {
    rule: 'S6',
    name: 'nullify after finalize',
    quirks: { beforeStep: nullifiesAfterFinalize, rules: { ...blindToRollback, mayNullify: () => true } },
    shape: { validators: 4 },
    codes: ['DOUBLE_VOTE'],
    seedsMax: 40,
  },
  {
    rule: 'S6',
    name: 'nullify is never sent again',
    quirks: {
      beforeStep: (state) => {
        state.nullifyRetryAtMs = undefined;
      },
    },
    shape: { validators: 4, epochs: 1, liars: ['silent'], faults: ['loss', 'loss', 'loss', 'loss'], phase1Ms: 3000 },
    codes: ['NO_PROGRESS'],
    seedsMax: 150,
  },
  {
    rule: 'S7',
    name: 'finalize after nullify',
    quirks: {
      rules: {
        mayFinalize: (state, record) =>
          record.view > state.finalizedView &&
          record.ownFinalize === undefined &&
          record.notarization !== undefined &&
          record.certification === 'valid',
      },
    },
    shape: { validators: 4 },
    codes: ['DOUBLE_VOTE'],
    seedsMax: 40,
  },
  {
    rule: 'W2',
    name: 'a quorum one too small',
    quirks: { rules: { quorum: (n) => rules.quorum(n) - 1 } },
    shape: { validators: 4 },
    codes: ['BAD_CERTIFICATE'],
    seedsMax: 5,
  },
  {
    rule: 'W4',
    name: 'invalid blocks are voted for',
    quirks: { verdict: () => true },
    shape: { validators: 4, liars: ['liar'] },
    codes: ['INVALID_BLOCK_FINAL'],
    seedsMax: 20,
  },
  {
    rule: 'W4',
    name: 'a machine that executes wrongly goes on',
    quirks: { onlyMachine: 0, bend: (root, txs) => (txs.length > 3 ? root + 1 : root), verdict: () => true },
    shape: { validators: 4, liars: [], faults: [] },
    codes: ['ROOTS_DIFFER', 'INVALID_BLOCK_FINAL'],
    seedsMax: 20,
  },
  {
    rule: 'W4',
    name: 'a verdict that is not known yet counts as invalid',
    quirks: {
      beforeStep: (_, event) => {
        if ((event.type === 'verified' || event.type === 'certified') && typeof event.verdict !== 'string')
          event.verdict = 'invalid';
      },
    },
    shape: { validators: 4, faults: ['slowChecks', 'slowChecks', 'slowChecks'] },
    codes: ['HONEST_HALTED'],
    seedsMax: 20,
  },
  {
    rule: 'W4',
    name: 'blocks from the future are voted for',
    quirks: { timings: { maxClockDriftMs: 1_000_000_000 } },
    shape: { validators: 4, liars: ['liar'] },
    codes: ['FUTURE_BLOCK'],
    seedsMax: 20,
  },
  {
    rule: 'W13',
    name: 'a repeated vote counts twice',
    quirks: { beforeStep: countsTwice },
    shape: { validators: 4 },
    codes: ['BAD_CERTIFICATE'],
    seedsMax: 80,
  },
];
