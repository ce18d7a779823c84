// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `governance.ready`, members in this order. A validator is ready for a proposal.
 */
export interface GovernanceReadyRecord {
  /**
   * Type of the record.
   */
  type: 'governance.ready';
  /**
   * Block.
   */
  height: number;
  /**
   * Time of the block.
   */
  time: number;
  /**
   * txId of the transaction that caused it.
   */
  tx: string;
  /**
   * Sender of the transaction.
   */
  by: string;
  /**
   * Proposal: the txId of its `governance.propose`.
   */
  proposal: string;
  /**
   * Name of a validator or observer: also a name in a trust file, so none of the words of that format.
   */
  validator: string;
  /**
   * Newest block that it has finalized, as it says.
   */
  at: number;
}
