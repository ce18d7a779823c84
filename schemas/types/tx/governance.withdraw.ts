// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of a `governance.withdraw` transaction. Takes a proposal off the agenda.
 */
export interface GovernanceWithdrawBody {
  /**
   * Proposal: the txId of its `governance.propose`.
   */
  proposal: string;
}
