// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `routing.switched`, members in this order. An instance is up or down.
 */
export interface RoutingSwitchedRecord {
  /**
   * Type of the record.
   */
  type: 'routing.switched';
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
   * A registered name.
   */
  instance: string;
  /**
   * What it is now.
   */
  state: 'up' | 'down';
  /**
   * Null when down.
   */
  endpoint: Endpoint | null;
  /**
   * The model that it runs.
   */
  model: string | null;
}
/**
 * Where and how to reach it.
 */
export interface Endpoint {
  /**
   * URL.
   */
  url: string;
  /**
   * Protocol.
   */
  protocol: string;
}
