// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `epoch`, members in this order. In a closing block, before its block record: all that the next epoch is made of.
 */
export interface EpochRecord {
  /**
   * Type of the record.
   */
  type: 'epoch';
  /**
   * Block.
   */
  height: number;
  /**
   * Time of the block.
   */
  time: number;
  /**
   * The next epoch.
   */
  epoch: number;
  /**
   * Its ruleset.
   */
  ruleset: number;
  consensus: Consensus;
  /**
   * Sorted by name.
   *
   * @minItems 1
   * @maxItems 128
   *
   * Items: A validator.
   */
  validators: {
    /**
     * Name of a validator or observer: also a name in a trust file, so none of the words of that format.
     */
    name: string;
    /**
     * 32 bytes in base64url.
     */
    peer: string;
    /**
     * 32 bytes in base64url.
     */
    vote: string;
    /**
     * C2SP vkey of its log key.
     */
    log: string;
    /**
     * C2SP vkey of its cosigner key.
     */
    cosigner: string;
    /**
     * A registered name.
     */
    account: string;
    /**
     * An http or https URL.
     */
    url: string;
  }[];
}
/**
 * Consensus parameters. They are part of the epoch digest: a change ends the epoch.
 */
export interface Consensus {
  /**
   * How long a view waits for the leader’s proposal.
   */
  leaderTimeoutMs: number;
  /**
   * How long a view waits for a certificate; at least leaderTimeoutMs.
   */
  certificationTimeoutMs: number;
  /**
   * How often a view that does not advance sends its messages again.
   */
  retryMs: number;
  /**
   * How long a fetch waits before it asks another peer.
   */
  fetchMs: number;
  /**
   * A leader that was silent this long is skipped early.
   */
  skipMs: number;
  /**
   * Without transactions a block is made this often.
   */
  idleBlockMs: number;
  /**
   * Bytes of the encoded body of a block. A body has to fit one message between validators.
   */
  maxBlockBytes: number;
  /**
   * Transactions of a block. A proposal names each by 32 bytes and has to fit one message.
   */
  maxBlockTxs: number;
  /**
   * How far after the block’s time a transaction may expire: how long ids are remembered.
   */
  maxTxLifetimeMs: number;
  /**
   * Heights that are multiples of this are cosigned.
   */
  cosignEveryBlocks: number;
  /**
   * Without new blocks the newest finalized one is cosigned again this often.
   */
  recosignMs: number;
  /**
   * How many views of the past are kept in memory.
   */
  retentionViews: number;
}
