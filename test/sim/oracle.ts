// What must hold, written from the protocol's promises and not from the engine: the checkers import message shapes only, read
// what leaves each machine, what each reports as final, and what is on its disk, and do their own arithmetic.
import type { Message, Vote } from '../../consensus/types.ts';
import { createAgreementChecker } from './checkers/agreement.ts';
import { createCertificateChecker } from './checkers/certificates.ts';
import { createEvidenceChecker } from './checkers/evidence.ts';
import { Violation } from './checkers/violation.ts';
import { createVoteChecker, type DiskView, type Trust } from './checkers/votes.ts';
import type { EpochSet, SimBlock } from './ledger.ts';

export { Violation } from './checkers/violation.ts';
export type { DiskView } from './checkers/votes.ts';

/** Listens to what the checkers listen to: for checks that need time (leader timeouts). */
export type Listener = { onSent?(machine: number, set: EpochSet, message: Message): void };

export type Oracle = {
  /** Every message of an engine that leaves its machine, whether or not it arrives. */
  onSent(machine: number, set: EpochSet, message: Message, disk: DiskView): void;
  /** A machine tells a client that this block is final. */
  onTold(machine: number, height: number, id: string): void;
  /** `set`: of the epoch that the block belongs to. */
  onCommitted(machine: number, set: EpochSet, block: SimBlock, txs: readonly number[]): void;
  /** The state root after a commit, as this machine computed it. */
  onRoot(machine: number, height: number, root: string): void;
  /** A finalized block does not stand on what is final here. */
  onForked(machine: number, id: string, tip: string): void;
  /** A finalized block does not execute here. */
  onRefusedFinal(machine: number, id: string): void;
  onEvidence(machine: number, set: EpochSet, a: Vote, b: Vote): void;
  onHalted(machine: number, code: string, detail: string): void;
  /** After a restart: everything that was once told must still be there. */
  onRestarted(machine: number, holds: (height: number, id: string) => boolean): void;
  chain(): ReadonlyMap<number, string>;
  accusedBy(machine: number): ReadonlySet<number>;
};

export function createOracle(options: {
  honest: (machine: number) => boolean;
  /** This machine's disk lies: its journal may be found rolled back. */
  rolledBack: (machine: number) => boolean;
  /** Even such a machine may never be seen to sign two votes. */
  strict: boolean;
  trueMs: () => number;
  listeners: readonly Listener[];
}): Oracle {
  const trust: Trust = {
    honest: options.honest,
    sound: (machine) => options.honest(machine) && !options.rolledBack(machine),
  };
  const votes = createVoteChecker(trust, options.strict);
  const onCertificate = createCertificateChecker(trust, votes.sentBy);
  const agreement = createAgreementChecker(trust, options.trueMs);
  const evidence = createEvidenceChecker(trust);
  const { listeners } = options;
  return {
    onSent(machine, set, message, disk) {
      for (const listener of listeners) listener.onSent?.(machine, set, message);
      if (message.type === 'yourVotes') return;
      if (message.type === 'certificate') {
        const { certificate } = message;
        // A vote may leave its signer for the first time within a certificate: after a crash between sync and sending.
        const at = certificate.signers.findIndex((signer) => set.validators[signer]?.machine === machine);
        if (at >= 0) {
          const { kind, subject } = certificate;
          const signer = certificate.signers[at]!;
          const vote = { kind, subject, signer, signature: new Uint8Array() } as Vote;
          votes.onVote(machine, set.validators[signer]!.key, vote);
          votes.checkDurable(machine, vote, disk);
        }
        onCertificate(certificate, set);
        return;
      }
      const { vote } = message;
      const validator = set.validators[vote.signer];
      if (validator === undefined)
        throw new Violation('BAD_CERTIFICATE', `${machine} sends a vote of signer ${vote.signer}`);
      votes.onVote(validator.machine, validator.key, vote);
      if (validator.machine === machine) votes.checkDurable(machine, vote, disk);
    },
    onTold: agreement.onTold,
    onCommitted(machine, set, block, txs) {
      agreement.onCommitted(machine, block.facts, txs);
      // A single validator needs no wire: its vote may be durable, count, and never leave.
      if (set.validators.length > 1) votes.checkBacked(machine, block.facts.id);
    },
    onRoot: agreement.onRoot,
    onForked: agreement.onForked,
    onRefusedFinal: agreement.onRefusedFinal,
    onEvidence: evidence.onEvidence,
    onHalted(machine, code, detail) {
      if (code === 'JOURNAL_ROLLED_BACK' && options.rolledBack(machine)) return;
      if (options.honest(machine))
        throw new Violation('HONEST_HALTED', `honest ${machine} halted with ${code}: ${detail}`);
    },
    onRestarted: agreement.onRestarted,
    chain: agreement.chain,
    accusedBy: evidence.accusedBy,
  };
}
