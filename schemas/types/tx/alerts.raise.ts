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
 * Body of an `alerts.raise` transaction. Says that something needs looking at. It blocks nothing.
 */
export interface AlertsRaiseBody {
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
