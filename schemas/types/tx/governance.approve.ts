// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of a `governance.approve` transaction. A member of the council agrees.
 */
export interface GovernanceApproveBody {
  /**
   * Proposal: the txId of its `governance.propose`.
   */
  proposal: string;
}
