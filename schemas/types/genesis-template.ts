// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Sorted, none twice.
 *
 * @minItems 0
 * @maxItems 16
 *
 * Items: A role: what policy knows an account by.
 */
export type Roles = string[];

/**
 * What a network is made of before anybody has keys: `weft dev`, `weft testnet` and `weft init` fill in keys, proofs, URLs, time and the policy set.
 */
export interface GenesisTemplate {
  /**
   * Format of this document.
   */
  format: 'weft/genesis-template/v1';
  /**
   * Network name.
   */
  name: string;
  /**
   * Ruleset in force from the start.
   */
  ruleset: number;
  consensus: Consensus;
  /**
   * Accounts besides those of the validators, sorted by name.
   *
   * @minItems 0
   * @maxItems 64
   *
   * Items: An account without keys.
   */
  accounts: {
    /**
     * A registered name.
     */
    name: string;
    roles: Roles;
  }[];
  /**
   * Who governs.
   */
  council: {
    /**
     * How many members must agree.
     */
    threshold: number;
    /**
     * Account names, sorted.
     *
     * @minItems 1
     * @maxItems 32
     *
     * Items: A registered name.
     */
    members: string[];
  };
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
