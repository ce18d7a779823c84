// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * SHA-256 of what shows it, sorted.
 *
 * @minItems 0
 * @maxItems 16
 *
 * Items: SHA-256, 64 lower-case hex digits.
 */
export type EvidenceDigests = string[];

/**
 * Log record `alerts.raised`, members in this order. Something needs looking at.
 */
export interface AlertsRaisedRecord {
  /**
   * Type of the record.
   */
  type: 'alerts.raised';
  /**
   * Block.
   */
  height: number;
  /**
   * Time of the block.
   */
  time: number;
  /**
   * txId of the transaction that caused it; null: the ledger itself raised it, at the end of the block.
   */
  tx: string | null;
  /**
   * Who raised it; null: the ledger.
   */
  by: string | null;
  /**
   * SHA-256, 64 lower-case hex digits.
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
  window: Window;
  /**
   * How often.
   */
  count: number;
  evidence: EvidenceDigests;
}
/**
 * When it was seen: first and last.
 */
export interface Window {
  /**
   * First.
   */
  from: number;
  /**
   * Last.
   */
  to: number;
}
