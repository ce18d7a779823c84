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
 * Log record `intents.pending`, members in this order. Policy permits it once enough have approved.
 */
export interface IntentsPendingRecord {
  /**
   * Type of the record.
   */
  type: 'intents.pending';
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
   * How many approvals it needs.
   */
  approvalsNeeded: number;
  /**
   * What an approval must be signed with: any key, or a WebAuthn key with its user verified.
   */
  approverKey: 'any' | 'webauthn';
  /**
   * Until when approvals are taken.
   */
  expires: number;
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
