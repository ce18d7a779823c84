// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `identity.resumed`, members in this order. A suspension ended.
 */
export interface IdentityResumedRecord {
  /**
   * Type of the record.
   */
  type: 'identity.resumed';
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
   * A registered name.
   */
  account: string;
  /**
   * Why, in words for people: printable ASCII.
   */
  reason: string;
}
