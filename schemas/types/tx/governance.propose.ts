// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of a `governance.propose` transaction. Puts a change before the council.
 */
export interface GovernanceProposeBody {
  /**
   * What a proposal would change.
   */
  change:
    | {
        /**
         * Kind of change.
         */
        kind: 'validators';
        /**
         * Added, or in the place of the one of that name; sorted by name.
         *
         * @minItems 0
         * @maxItems 128
         */
        set: ValidatorEntry[];
        /**
         * Names, sorted.
         *
         * @minItems 0
         * @maxItems 128
         *
         * Items: Name of a validator or observer: also a name in a trust file, so none of the words of that format.
         */
        remove: string[];
      }
    | {
        /**
         * Kind of change.
         */
        kind: 'observers';
        /**
         * Added, or in the place of the one of that name; sorted by name.
         *
         * @minItems 0
         * @maxItems 128
         */
        set: ObserverEntry[];
        /**
         * Names, sorted.
         *
         * @minItems 0
         * @maxItems 128
         *
         * Items: Name of a validator or observer: also a name in a trust file, so none of the words of that format.
         */
        remove: string[];
      }
    | {
        /**
         * Kind of change.
         */
        kind: 'parameters';
        parameters: Consensus;
      }
    | {
        /**
         * Kind of change.
         */
        kind: 'ruleset';
        /**
         * Its number; above the one in force.
         */
        ruleset: number;
      }
    | {
        /**
         * Kind of change.
         */
        kind: 'council';
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
    | {
        /**
         * Kind of change.
         */
        kind: 'policy';
        /**
         * SHA-256 of the text of the Cedar schema.
         */
        schema: string;
        /**
         * Sorted by id.
         *
         * @minItems 1
         * @maxItems 256
         */
        policies: PolicyByDigest[];
        /**
         * Grants of older versions of the policy are void. At most the version that this set will have, at least what is in force.
         */
        minValid: number;
      }
    | {
        /**
         * Kind of change.
         */
        kind: 'pause';
        /**
         * True: pause; false: resume.
         */
        paused: boolean;
      };
  /**
   * Takes effect at the end of this block or later.
   */
  notBefore: number;
  /**
   * Lapses if it has not taken effect by then; at most 30 days ahead.
   */
  expires: number;
}
/**
 * A validator as governance puts it into the set: four Ed25519 keys, and the account that speaks for it.
 */
export interface ValidatorEntry {
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
   * Public base URL of its RPC and tiles.
   */
  url: string;
}
/**
 * A peer that follows the chain and does not vote.
 */
export interface ObserverEntry {
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
 * A policy of a set: its id, by which records name it, and its text by digest.
 */
export interface PolicyByDigest {
  /**
   * Name of a policy: records name policies by it.
   */
  id: string;
  /**
   * SHA-256 of the policy's text in UTF-8.
   */
  text: string;
}
