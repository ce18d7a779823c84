// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `intents.reported`, members in this order. How an attempt ended.
 */
export interface IntentsReportedRecord {
  /**
   * Type of the record.
   */
  type: 'intents.reported';
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
   * The grant: txId of its `intents.propose`.
   */
  grant: string;
  /**
   * 16 bytes in base64url, drawn at random by the executor and stored before it sends them.
   */
  attempt: string;
  /**
   * Who acted.
   */
  account: string;
  /**
   * How it ended.
   */
  outcome: 'done' | 'failed' | 'unknown';
  /**
   * SHA-256 of what the executor keeps about it.
   */
  result: string;
}
