// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of a `packets.commit` transaction. Commits packet ids before the packets are sent. Each group gets one routing decision and one record.
 */
export interface PacketsCommitBody {
  /**
   * At most 256 ids in all.
   *
   * @minItems 1
   * @maxItems 16
   */
  groups: PacketGroup[];
}
/**
 * Packets of one source to one target.
 */
export interface PacketGroup {
  /**
   * Source_Instance_ID of the packets.
   */
  source: string;
  /**
   * Target_Instance_ID of the packets.
   */
  target: string;
  /**
   * Until when they may be carried; at most 24 hours ahead.
   */
  expires: number;
  /**
   * Transaction_Hash_IDs: k times 32 bytes in base64url.
   */
  ids: string;
}
