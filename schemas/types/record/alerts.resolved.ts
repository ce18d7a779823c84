// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `alerts.resolved`, members in this order. An alert has been looked after.
 */
export interface AlertsResolvedRecord {
  /**
   * Type of the record.
   */
  type: 'alerts.resolved';
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
   * Who says so.
   */
  by: string;
  /**
   * Its id.
   */
  alert: string;
  /**
   * Kind of alert.
   */
  kind: string;
  /**
   * What it is about: an account, host or component.
   */
  source: string;
}
