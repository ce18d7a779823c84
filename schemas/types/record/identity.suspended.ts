// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `identity.suspended`, members in this order. An account is stopped.
 */
export interface IdentitySuspendedRecord {
  /**
   * Type of the record.
   */
  type: 'identity.suspended';
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
