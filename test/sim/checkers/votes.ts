// No honest key signs two conflicting votes, over all restarts, epochs and machines; none leaves before it is durable.
import type { Vote } from '../../../consensus/types.ts';
import { describe, Violation } from './violation.ts';

export type DiskView = {
  /** Is this own vote in the durable journal, or below its floor, or of an epoch that the journal has left behind? */
  holdsVote(vote: Vote): boolean;
  holdsBlock(id: string): boolean;
};

export type Trust = {
  /** Honest, and its disk does not lie. */
  sound(machine: number): boolean;
  honest(machine: number): boolean;
};

export function createVoteChecker(trust: Trust, strict: boolean) {
  /** Key, epoch and view → kind → description. */
  const sent = new Map<string, Map<string, string>>();
  /** Blocks that an honest machine has voted for. */
  const backed = new Set<string>(['genesis']);
  const place = (key: string, subject: { epoch: number; view: number }): string =>
    `${key} ${subject.epoch} ${subject.view}`;
  return {
    /** `machine` holds `key`. A disk that lies makes its owner one of the f: W11 finds most of it, not what only a lost message knew. */
    onVote(machine: number, key: string, vote: Vote): void {
      if (vote.kind === 'notarize' && trust.honest(machine)) backed.add(vote.subject.blockId);
      if (strict ? !trust.honest(machine) : !trust.sound(machine)) return;
      const at = place(key, vote.subject);
      let kinds = sent.get(at);
      if (kinds === undefined) {
        kinds = new Map();
        sent.set(at, kinds);
      }
      const text = describe(vote);
      const before = kinds.get(vote.kind);
      if (before !== undefined) {
        if (before !== text) throw new Violation('DOUBLE_VOTE', `honest ${machine} signed ${before} and ${text}`);
        return;
      }
      if (vote.kind === 'notarize' && kinds.has('nullify'))
        throw new Violation('VOTE_AFTER_NULLIFY', `honest ${machine} signed ${text} after nullify`);
      kinds.set(vote.kind, text);
      if (kinds.has('nullify') && kinds.has('finalize'))
        throw new Violation(
          'DOUBLE_VOTE',
          `honest ${machine} signed ${kinds.get('nullify')} and ${kinds.get('finalize')}`,
        );
    },
    checkDurable(machine: number, vote: Vote, disk: DiskView): void {
      if (!trust.sound(machine)) return;
      if (!disk.holdsVote(vote))
        throw new Violation('NOT_DURABLE', `honest ${machine} sent ${describe(vote)} before it was durable`);
      if (vote.kind !== 'nullify' && !disk.holdsBlock(vote.subject.blockId))
        throw new Violation('NOT_DURABLE', `honest ${machine} sent ${describe(vote)} before its block was durable`);
    },
    /** Every final block has an honest vote of its own: an ancestor that nobody ever notarized cannot be final. */
    checkBacked(machine: number, id: string): void {
      if (trust.honest(machine) && !backed.has(id))
        throw new Violation('UNBACKED', `${id} is final at ${machine}, and no honest machine ever voted for it`);
    },
    sentBy: (key: string, vote: Pick<Vote, 'kind' | 'subject'>): boolean =>
      sent.get(place(key, vote.subject))?.get(vote.kind) === describe(vote),
  };
}
