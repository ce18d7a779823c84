// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `governance.approved`, members in this order. A member of the council agrees.
 */
export interface GovernanceApprovedRecord {
  /**
   * Type of the record.
   */
  type: 'governance.approved';
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
   * What a proposal changes.
   */
  kind: 'validators' | 'observers' | 'parameters' | 'ruleset' | 'council' | 'policy' | 'pause';
  /**
   * Approvals that count now.
   */
  approvals: number;
  /**
   * How many are needed.
   */
  threshold: number;
}
