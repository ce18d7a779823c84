// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `models.revoked`, members in this order. A model ended for ever.
 */
export interface ModelsRevokedRecord {
  /**
   * Type of the record.
   */
  type: 'models.revoked';
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
   * Why, in words for people: printable ASCII.
   */
  reason: string;
}
