// W12: an accusation holds two messages that no honest validator sends, and never an honest one's.
import type { Vote } from '../../../consensus/types.ts';
import type { EpochSet } from '../ledger.ts';
import { describe, Violation } from './violation.ts';
import type { Trust } from './votes.ts';

export function createEvidenceChecker(trust: Trust) {
  /** Accuser → machines accused. */
  const accused = new Map<number, Set<number>>();
  return {
    onEvidence(machine: number, set: EpochSet, a: Vote, b: Vote): void {
      if (!trust.honest(machine)) return;
      const both = `${describe(a)} and ${describe(b)}`;
      const conflict = a.kind === b.kind ? describe(a) !== describe(b) : a.kind !== 'notarize' && b.kind !== 'notarize';
      const offender = set.validators[a.signer]?.machine;
      if (
        a.signer !== b.signer ||
        a.subject.view !== b.subject.view ||
        a.subject.epoch !== b.subject.epoch ||
        !conflict ||
        offender === undefined
      )
        throw new Violation('FALSE_EVIDENCE', `${machine} accuses without reason: ${both}`);
      if (trust.sound(offender))
        throw new Violation('FALSE_EVIDENCE', `${machine} accuses honest ${offender} of ${both}`);
      let mine = accused.get(machine);
      if (mine === undefined) {
        mine = new Set();
        accused.set(machine, mine);
      }
      mine.add(offender);
    },
    accusedBy: (machine: number): ReadonlySet<number> => accused.get(machine) ?? new Set(),
  };
}
