// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `governance.uploaded`, members in this order. A text that a policy set may name; it is in the transaction.
 */
export interface GovernanceUploadedRecord {
  /**
   * Type of the record.
   */
  type: 'governance.uploaded';
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
   * SHA-256 of the text in UTF-8.
   */
  text: string;
  /**
   * Of the text in UTF-8.
   */
  bytes: number;
  /**
   * Gone by then, unless a proposal on the agenda names it.
   */
  expires: number;
}
