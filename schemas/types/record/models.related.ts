// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `models.related`, members in this order. What a model was made from is known better.
 */
export interface ModelsRelatedRecord {
  /**
   * Type of the record.
   */
  type: 'models.related';
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
   * Model id.
   */
  model: string;
  /**
   * SHA-256, 64 lower-case hex digits.
   */
  sha256: string;
  /**
   * All of it.
   *
   * @minItems 1
   * @maxItems 16
   */
  lineage: Parent[];
}
/**
 * A model that this one was made from.
 */
export interface Parent {
  /**
   * Model id.
   */
  model: string;
  /**
   * How.
   */
  relation: 'fine-tuned' | 'quantised' | 'converted' | 'merged' | 'distilled';
}
