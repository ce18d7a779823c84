import type { SignatureVerifier } from '../ledger/types.ts';

/** All signatures hold: of blocks that a quorum finalized (and `weft audit` checks), and of a stage, where nobody signs. */
export const takenAsVerified: SignatureVerifier = {
  verifyMany: async (jobs) => jobs.map(() => true),
  verifyAll: async () => true,
};
