// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `governance.lapsed`, members in this order. At the end of a block: a proposal can no longer take effect.
 */
export interface GovernanceLapsedRecord {
  /**
   * Type of the record.
   */
  type: 'governance.lapsed';
  /**
   * Block.
   */
  height: number;
  /**
   * Time of the block.
   */
  time: number;
  /**
   * Proposal: the txId of its `governance.propose`.
   */
  proposal: string;
  /**
   * What a proposal changes.
   */
  kind: 'validators' | 'observers' | 'parameters' | 'ruleset' | 'council' | 'policy' | 'pause';
  /**
   * Why.
   */
  code: string;
}
