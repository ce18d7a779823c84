// Signatures of the simulator. The toy ones are objects that cannot be made twice: who holds one was given it by its signer.
import { sameSubject } from '../../consensus/tally.ts';
import type { Proposal, Round, VoteKind } from '../../consensus/types.ts';

export type SimCrypto = {
  /** Signing twice may give different bytes: a liar's key need not be deterministic. */
  sign(key: string, kind: VoteKind, subject: Proposal | Round): Uint8Array;
  verify(key: string, kind: VoteKind, subject: Proposal | Round, signature: Uint8Array): boolean;
};

export function createToyCrypto(): SimCrypto {
  const made = new WeakMap<Uint8Array, { key: string; kind: VoteKind; subject: Proposal | Round }>();
  let count = 0;
  return {
    sign(key, kind, subject) {
      count += 1;
      const signature = new Uint8Array([count & 255, (count >> 8) & 255]);
      made.set(signature, { key, kind, subject });
      return signature;
    },
    verify(key, kind, subject, signature) {
      const signed = made.get(signature);
      return signed !== undefined && signed.key === key && signed.kind === kind && sameSubject(signed.subject, subject);
    },
  };
}
