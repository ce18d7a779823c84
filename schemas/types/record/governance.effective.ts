// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `governance.effective`, members in this order. At the end of a block: a proposal took effect.
 */
export interface GovernanceEffectiveRecord {
  /**
   * Type of the record.
   */
  type: 'governance.effective';
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
   * Kind `policy` only: what is in force from now on.
   */
  policy?: {
    /**
     * Of the policy; grows by 1.
     */
    version: number;
    /**
     * Of the policy set.
     */
    digest: string;
    /**
     * Grants of older versions are void.
     */
    minValid: number;
  };
  /**
   * Kind `pause` only.
   */
  paused?: boolean;
}
