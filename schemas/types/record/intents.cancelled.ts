// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `intents.cancelled`, members in this order. Taken back.
 */
export interface IntentsCancelledRecord {
  /**
   * Type of the record.
   */
  type: 'intents.cancelled';
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
   * Who took it back.
   */
  by: string;
  /**
   * The intent: txId of its `intents.propose`.
   */
  intent: string;
  /**
   * What it was.
   */
  was: 'pending' | 'granted';
  /**
   * Uses that had been taken.
   */
  uses: number;
}
