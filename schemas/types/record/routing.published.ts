// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `routing.published`, members in this order. A routing table is in force.
 */
export interface RoutingPublishedRecord {
  /**
   * Type of the record.
   */
  type: 'routing.published';
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
   * Its version.
   */
  version: number;
  /**
   * The version before.
   */
  replaces: number;
  /**
   * SHA-256("weft/routing-table/v1", RFC 8785 table).
   */
  digest: string;
  /**
   * Number of rules.
   */
  rules: number;
}
