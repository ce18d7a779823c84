// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `intents.approved`, members in this order. An approval after which others are still missing; the last one makes the grant.
 */
export interface IntentsApprovedRecord {
  /**
   * Type of the record.
   */
  type: 'intents.approved';
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
   * Who approves.
   */
  by: string;
  /**
   * The intent: txId of its `intents.propose`.
   */
  intent: string;
  /**
   * Approvals that count now.
   */
  approvals: number;
  /**
   * How many approvals it needs.
   */
  approvalsNeeded: number;
}
