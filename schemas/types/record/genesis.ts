// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `genesis`, members in this order: leaf 0. It holds every public key that a walk of trust needs; complete vkeys, because their names contain the chain id.
 */
export interface GenesisRecord {
  /**
   * Type of the record.
   */
  type: 'genesis';
  /**
   * Block 0.
   */
  height: number;
  /**
   * Milliseconds UTC.
   */
  time: number;
  /**
   * Chain id: the network name and the first 12 hex digits of the genesis hash.
   */
  chain: string;
  /**
   * Name of the log: `<chain id>/weft`.
   */
  origin: string;
  /**
   * SHA-256, 64 lower-case hex digits.
   */
  genesisHash: string;
  /**
   * Network name.
   */
  name: string;
  /**
   * Ruleset.
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
     * Keys of that account.
     *
     * @minItems 1
     * @maxItems 16
     *
     * Items: A key of an account. `x25519` keys receive packets and never sign.
     */
    accountKeys: (
      | {
          /**
           * Algorithm.
           */
          alg: 'ed25519' | 'p256' | 'x25519';
          /**
           * 32 bytes (ed25519, x25519) or 33 bytes (p256, compressed point) in base64url.
           */
          publicKey: string;
        }
      | {
          /**
           * A P-256 key in a security key or a device, which signs through WebAuthn only.
           */
          alg: 'webauthn-p256';
          /**
           * 33 bytes (compressed point) in base64url.
           */
          publicKey: string;
          /**
           * Domain for which the security key answers (WebAuthn relying party id).
           */
          rpId: string;
          /**
           * Web origin of the page on which it signs; its host is the rpId or below it.
           */
          origin: string;
        }
    )[];
    /**
     * An http or https URL.
     */
    url: string;
  }[];
  /**
   * Sorted by name.
   *
   * @minItems 0
   * @maxItems 256
   *
   * Items: An observer.
   */
  observers: {
    /**
     * Name of a validator or observer: also a name in a trust file, so none of the words of that format.
     */
    name: string;
    /**
     * 32 bytes in base64url.
     */
    peer: string;
  }[];
  /**
   * Who governs.
   */
  council: {
    /**
     * How many must agree.
     */
    threshold: number;
    /**
     * Account names.
     *
     * @minItems 1
     * @maxItems 32
     *
     * Items: A registered name.
     */
    members: string[];
  };
  policy: PolicyVersion;
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
/**
 * The policy set by which decisions are made.
 */
export interface PolicyVersion {
  /**
   * Counts from 1 at genesis.
   */
  version: number;
  /**
   * SHA-256, 64 lower-case hex digits.
   */
  digest: string;
}
