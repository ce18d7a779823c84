// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `governance.proposed`, members in this order. A change is before the council; its text is in the transaction.
 */
export interface GovernanceProposedRecord {
  /**
   * Type of the record.
   */
  type: 'governance.proposed';
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
   * What a proposal changes.
   */
  kind: 'validators' | 'observers' | 'parameters' | 'ruleset' | 'council' | 'policy' | 'pause';
  /**
   * Takes effect at the end of this block or later.
   */
  notBefore: number;
  /**
   * Lapses if it has not taken effect by then.
   */
  expires: number;
}
