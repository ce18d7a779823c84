// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of a `governance.ready` transaction. A validator of the new set says that it is there: synced, with the keys that the proposal names, on a build that has the ruleset.
 */
export interface GovernanceReadyBody {
  /**
   * Proposal: the txId of its `governance.propose`.
   */
  proposal: string;
  /**
   * Newest block that it has finalized; at most 1,000 below the block that holds this.
   */
  height: number;
  proofs: PossessionProofs;
}
/**
 * Proofs of possession: each key signs the network name, the validator’s name, its role and itself.
 */
export interface PossessionProofs {
  /**
   * 64 bytes in base64url.
   */
  peer: string;
  /**
   * 64 bytes in base64url.
   */
  vote: string;
  /**
   * 64 bytes in base64url.
   */
  log: string;
  /**
   * 64 bytes in base64url.
   */
  cosigner: string;
}
