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
 * Log record `intents.denied`, members in this order. It is not permitted.
 */
export interface IntentsDeniedRecord {
  /**
   * Type of the record.
   */
  type: 'intents.denied';
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
   * The intent: txId of its `intents.propose`.
   */
  intent: string;
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
   * Digest of the effect.
   */
  effect: string;
  /**
   * Who proposed it.
   */
  requester: string;
  /**
   * Who may act.
   */
  audience: string;
  policy: PolicyDecision;
  /**
   * `POLICY_DENIED`: by policy; `POLICY_ANNOTATION`: an annotation of a permitting policy does not read; `DRY_RUN_ONLY`: only dry runs are permitted.
   */
  why: 'POLICY_DENIED' | 'POLICY_ANNOTATION' | 'DRY_RUN_ONLY';
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
   * Digest of the set.
   */
  sha256: string;
  reasons: PolicyReasons;
}
