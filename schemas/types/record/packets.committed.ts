// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `packets.committed`, members in this order. The decision about a group of packets. With `decision: allow` its token authorises carrying exactly these packets to that target until they expire.
 */
export interface PacketsCommittedRecord {
  /**
   * Type of the record.
   */
  type: 'packets.committed';
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
   * A registered name.
   */
  source: string;
  /**
   * A registered name.
   */
  target: string;
  /**
   * What was decided.
   */
  decision: 'allow' | 'deny';
  /**
   * Only with deny: EXPIRED, EXPIRES_TOO_LATE, SOURCE_UNKNOWN, SOURCE_SUSPENDED, TARGET_UNKNOWN, NO_ROUTE, ROUTE_DENIED, TARGET_DOWN, TARGET_SUSPENDED, TARGET_MODEL or POLICY_DENIED.
   */
  why?: string;
  /**
   * Null where no rule was reached.
   */
  route: {
    /**
     * Version of the routing table.
     */
    table: number;
    /**
     * Rule.
     */
    rule: string;
    /**
     * A registered name.
     */
    to?: string;
  } | null;
  /**
   * Until when the packets may be carried.
   */
  expires: number;
  /**
   * Packet ids: k times 32 bytes, one after the other, in base64url.
   */
  ids: string;
}
