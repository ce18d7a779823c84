// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `intents.consumed`, members in this order. One use of a grant is taken by this attempt.
 */
export interface IntentsConsumedRecord {
  /**
   * Type of the record.
   */
  type: 'intents.consumed';
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
   * Who may act.
   */
  account: string;
  /**
   * Which use it is, from 1.
   */
  use: number;
}
