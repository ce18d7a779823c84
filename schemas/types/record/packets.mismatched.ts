// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `packets.mismatched`, members in this order. Somebody saw a packet that does not agree with the ledger.
 */
export interface PacketsMismatchedRecord {
  /**
   * Type of the record.
   */
  type: 'packets.mismatched';
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
   * SHA-256, 64 lower-case hex digits.
   */
  id: string;
  /**
   * What was wrong.
   */
  kind: 'DIGEST' | 'COMMITMENT' | 'UNCOMMITTED' | 'MISSING' | 'ORIGIN';
  /**
   * What should be.
   */
  expected: string | null;
  /**
   * What is.
   */
  observed: string | null;
  /**
   * Digest of evidence kept elsewhere.
   */
  evidence: string | null;
}
