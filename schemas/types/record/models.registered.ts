// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `models.registered`, members in this order. A model file is known.
 */
export interface ModelsRegisteredRecord {
  /**
   * Type of the record.
   */
  type: 'models.registered';
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
   * What people call the model: printable ASCII.
   */
  name: string;
  /**
   * SHA-256, 64 lower-case hex digits.
   */
  sha256: string;
  /**
   * Bytes of the file.
   */
  size: number;
  /**
   * File format.
   */
  format: 'gguf';
  /**
   * Where it comes from.
   */
  source: string;
  /**
   * What it was made from.
   *
   * @minItems 0
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
