// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `governance.withdrawn`, members in this order. A proposal is off the agenda.
 */
export interface GovernanceWithdrawnRecord {
  /**
   * Type of the record.
   */
  type: 'governance.withdrawn';
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
}
