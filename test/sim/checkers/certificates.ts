// Every certificate on the wire is exactly a quorum of distinct validators who sent those votes; one notarized block a view;
// no view both nullified and finalized.
import type { Certificate, Vote } from '../../../consensus/types.ts';
import type { EpochSet } from '../ledger.ts';
import { describe, Violation } from './violation.ts';
import type { Trust } from './votes.ts';

export function createCertificateChecker(
  trust: Trust,
  sentBy: (key: string, vote: Pick<Vote, 'kind' | 'subject'>) => boolean,
) {
  const held = new Map<string, { notarize?: string; nullify?: string; finalize?: string }>();
  return (certificate: Certificate, set: EpochSet): void => {
    const text = describe(certificate);
    const { signers, signatures, subject } = certificate;
    const n = set.validators.length;
    const needed = n - Math.floor((n - 1) / 3);
    if (subject.epoch !== set.epoch) throw new Violation('BAD_CERTIFICATE', `${text} was sent in epoch ${set.epoch}`);
    if (signers.length !== needed || signatures.length !== needed)
      throw new Violation('BAD_CERTIFICATE', `${text} has ${signers.length} signers, ${needed} make a quorum`);
    for (let i = 0; i < signers.length; i += 1) {
      const signer = signers[i]!;
      const validator = set.validators[signer];
      if (validator === undefined || (i > 0 && signer <= signers[i - 1]!))
        throw new Violation('BAD_CERTIFICATE', `${text} names signers ${signers.join(',')}`);
      // A single validator needs no wire: its vote counts when it is durable, and may leave for the first time in a certificate.
      if (n > 1 && trust.sound(validator.machine) && !sentBy(validator.key, certificate))
        throw new Violation('BAD_CERTIFICATE', `${text} names honest ${validator.machine}, who never sent that vote`);
    }
    const place = `${subject.epoch} ${subject.view}`;
    let at = held.get(place);
    if (at === undefined) {
      at = {};
      held.set(place, at);
    }
    const before = at[certificate.kind];
    if (before !== undefined && before !== text) throw new Violation('TWO_CERTIFICATES', `${before} and ${text}`);
    at[certificate.kind] = text;
    if (at.nullify !== undefined && at.finalize !== undefined)
      throw new Violation('NULLIFIED_AND_FINALIZED', `${at.nullify} and ${at.finalize}`);
    if (at.notarize !== undefined && at.finalize !== undefined && at.notarize.slice(9) !== at.finalize.slice(9))
      throw new Violation('TWO_CERTIFICATES', `${at.notarize} and ${at.finalize}`);
  };
}
