// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Ids of the policies that decided, sorted.
 *
 * @minItems 0
 * @maxItems 8
 *
 * Items: Policy id.
 */
export type PolicyReasons = string[];

/**
 * The grant: an in-toto Statement v1, members in this order, at most 1,280 bytes. Told apart by `_type`, not by `type`.
 */
export interface IntentsGrantedRecord {
  /**
   * in-toto.
   */
  _type: 'https://in-toto.io/Statement/v1';
  /**
   * The effect.
   *
   * @minItems 1
   * @maxItems 1
   *
   * Items: Its digest.
   */
  subject: {
    /**
     * Its name.
     */
    name: 'effect';
    /**
     * Digests.
     */
    digest: {
      /**
       * SHA-256, 64 lower-case hex digits.
       */
      sha256: string;
    };
  }[];
  /**
   * What the predicate is.
   */
  predicateType: 'urn:weft:grant:v1';
  /**
   * What is granted.
   */
  predicate: {
    /**
     * SHA-256, 64 lower-case hex digits.
     */
    intent: string;
    /**
     * Block.
     */
    height: number;
    /**
     * Time of the block.
     */
    time: number;
    /**
     * SHA-256, 64 lower-case hex digits.
     */
    tx: string;
    /**
     * Always.
     */
    decision: 'allow';
    policy: PolicyDecision;
    /**
     * Entry of the action catalogue.
     */
    action:
      | 'cache.clear'
      | 'config.restore'
      | 'model.deploy'
      | 'model.retire'
      | 'policy.emergency-block'
      | 'process.renice'
      | 'route.close'
      | 'route.open'
      | 'service.isolate'
      | 'service.restart'
      | 'sysctl.set';
    /**
     * What an intent is about: kind, then what its effect says, parted by slashes.
     */
    resource: string;
    /**
     * How far the act may go.
     */
    limits: {
      /**
       * Nothing may be changed.
       */
      dryRun: boolean;
      /**
       * Targets that it may touch.
       */
      maxTargets: number;
    };
    /**
     * Who proposed it.
     */
    requester: string;
    /**
     * Who may act.
     */
    audience: string;
    /**
     * Who approved, in that order.
     *
     * @minItems 0
     * @maxItems 5
     *
     * Items: A registered name.
     */
    approvers: string[];
    /**
     * Of the proposing transaction.
     */
    nonce: string;
    /**
     * How often it may be consumed.
     */
    maxUses: number;
    /**
     * Idempotent: a nonce store of the executor is enough.
     */
    reusable: boolean;
    /**
     * How long after a consume the act may begin, milliseconds.
     */
    actWithinMs: number;
    notBefore: Moment;
    expires: Moment;
  };
}
/**
 * The policy set that decided, and which of its policies.
 */
export interface PolicyDecision {
  /**
   * Version of the set.
   */
  version: number;
  /**
   * SHA-256, 64 lower-case hex digits.
   */
  sha256: string;
  reasons: PolicyReasons;
}
/**
 * Block height and time: a bound is reached when either is.
 */
export interface Moment {
  /**
   * Block height; genesis is 0.
   */
  height: number;
  /**
   * Milliseconds UTC.
   */
  time: number;
}
