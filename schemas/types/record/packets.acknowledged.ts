// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `packets.acknowledged`, members in this order. A target’s signed word about a packet.
 */
export interface PacketsAcknowledgedRecord {
  /**
   * Type of the record.
   */
  type: 'packets.acknowledged';
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
  target: string;
  /**
   * SHA-256, 64 lower-case hex digits.
   */
  id: string;
  /**
   * SHA-256, 64 lower-case hex digits.
   */
  Payload_Digest: string;
  /**
   * What its check said.
   */
  verdict: 'VERIFIED' | 'MISMATCH' | 'REJECTED';
  /**
   * First 16 hex digits of SHA-256(algorithm byte, public key).
   */
  keyid: string;
  /**
   * 64 bytes in base64url.
   */
  sig: string;
}
