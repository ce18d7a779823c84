// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `identity.revoked`, members in this order. A key ended for ever.
 */
export interface IdentityRevokedRecord {
  /**
   * Type of the record.
   */
  type: 'identity.revoked';
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
   * First 16 hex digits of SHA-256(algorithm byte, public key).
   */
  keyid: string;
  /**
   * Why, in words for people: printable ASCII.
   */
  reason: string;
}
