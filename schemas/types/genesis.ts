// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Roles, sorted. `council` and `validator` are given by the ledger.
 *
 * @minItems 0
 * @maxItems 16
 *
 * Items: A role: what policy knows an account by.
 */
export type Roles = string[];

/**
 * The document on which a network begins. Its RFC 8785 bytes are hashed: every member of the network has the same file. Lists of named things are sorted by name.
 */
export interface Genesis {
  /**
   * Format of this document.
   */
  format: 'weft/genesis/v1';
  /**
   * Name of the network; the chain id begins with it.
   */
  name: string;
  /**
   * Time of block 0.
   */
  time: number;
  /**
   * Ruleset in force from the start.
   */
  ruleset: number;
  consensus: Consensus;
  /**
   * Validators, sorted by name. Foreign verifiers are promised up to 22.
   *
   * @minItems 1
   * @maxItems 128
   */
  validators: Validator[];
  /**
   * Peers that may follow the chain, sorted by name.
   *
   * @minItems 0
   * @maxItems 256
   */
  observers: Observer[];
  /**
   * Accounts that exist from the start, sorted by name.
   *
   * @minItems 1
   * @maxItems 256
   */
  accounts: Account[];
  council: Council;
  policy: Policy;
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
 * A validator with its five keys, all of them Ed25519 and distinct; the fifth is the key of its account.
 *
 * This interface was referenced by `Genesis`'s JSON-Schema
 * via the `definition` "validator".
 */
export interface Validator {
  /**
   * Name of a validator or observer: also a name in a trust file, so none of the words of that format.
   */
  name: string;
  /**
   * libp2p key.
   */
  peer: string;
  /**
   * Signs votes.
   */
  vote: string;
  /**
   * Signs checkpoints as the log (C2SP algorithm 0x01).
   */
  log: string;
  /**
   * Cosigns checkpoints (C2SP algorithm 0x04).
   */
  cosigner: string;
  /**
   * Account that speaks for the validator.
   */
  account: string;
  /**
   * Public base URL of its RPC and tiles: the witness line of trust files.
   */
  url: string;
  /**
   * Proofs of possession: each key signs the network name, the validator’s name, its role and itself.
   */
  proofs: {
    /**
     * 64 bytes in base64url.
     */
    peer: string;
    /**
     * 64 bytes in base64url.
     */
    vote: string;
    /**
     * 64 bytes in base64url.
     */
    log: string;
    /**
     * 64 bytes in base64url.
     */
    cosigner: string;
  };
}
/**
 * A peer that follows the chain and does not vote.
 *
 * This interface was referenced by `Genesis`'s JSON-Schema
 * via the `definition` "observer".
 */
export interface Observer {
  /**
   * Name of a validator or observer: also a name in a trust file, so none of the words of that format.
   */
  name: string;
  /**
   * libp2p key.
   */
  peer: string;
}
/**
 * An account that exists from the start.
 *
 * This interface was referenced by `Genesis`'s JSON-Schema
 * via the `definition` "account".
 */
export interface Account {
  /**
   * A registered name.
   */
  name: string;
  roles: Roles;
  /**
   * Keys; whoever agrees to the genesis document answers for them.
   *
   * @minItems 1
   * @maxItems 16
   *
   * Items: A key of an account. `x25519` keys receive packets and never sign.
   */
  keys: (
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
}
/**
 * Who governs: `threshold` of `members`.
 *
 * This interface was referenced by `Genesis`'s JSON-Schema
 * via the `definition` "council".
 */
export interface Council {
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
}
/**
 * The first policy set and the engine that decides by it.
 *
 * This interface was referenced by `Genesis`'s JSON-Schema
 * via the `definition` "policy".
 */
export interface Policy {
  /**
   * The exact engine: part of the ruleset.
   */
  engine: {
    /**
     * Cedar SDK version.
     */
    sdk: string;
    /**
     * Cedar language version.
     */
    language: string;
    /**
     * Digest of the WebAssembly module.
     */
    wasmSha256: string;
  };
  /**
   * Cedar schema, in Cedar’s own text form.
   */
  schema: string;
  /**
   * Policies, one statement each, sorted by id.
   *
   * @minItems 0
   * @maxItems 256
   *
   * Items: A policy.
   */
  policies: {
    /**
     * The name by which reasons are recorded.
     */
    id: string;
    /**
     * One Cedar policy.
     */
    text: string;
  }[];
}
