// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `routing.restored`, members in this order. An earlier routing table is in force again, as a new version.
 */
export interface RoutingRestoredRecord {
  /**
   * Type of the record.
   */
  type: 'routing.restored';
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
   * The version whose content it has.
   */
  restores: number;
  /**
   * SHA-256, 64 lower-case hex digits.
   */
  digest: string;
}
