// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * State value at `intents/grant/<id>`.
 */
export interface IntentRecord {
  /**
   * The intent: txId of its `intents.propose`.
   */
  intent: string;
  /**
   * How it stands.
   */
  status: 'pending' | 'granted' | 'denied' | 'cancelled' | 'expired';
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
   * A host: what its executors call it, lower case.
   */
  host: string;
  /**
   * Who proposed it.
   */
  requester: string;
  /**
   * Who may act.
   */
  audience: string;
  /**
   * Digest of the effect.
   */
  effect: string;
  /**
   * The set that decided last.
   */
  policy: {
    /**
     * Version of the set.
     */
    version: number;
    /**
     * Digest of the set.
     */
    sha256: string;
  };
  /**
   * Accounts in the order in which they approved.
   *
   * @minItems 0
   * @maxItems 5
   *
   * Items: A registered name.
   */
  approvals: string[];
  /**
   * How many it needs.
   */
  approvalsNeeded: number;
  /**
   * What an approval must be signed with: any key, or a WebAuthn key with its user verified.
   */
  approverKey: 'any' | 'webauthn';
  /**
   * How often it may be consumed.
   */
  maxUses: number;
  /**
   * How often it was consumed.
   */
  uses: number;
  /**
   * Uses, in their order.
   *
   * @minItems 0
   * @maxItems 32
   *
   * Items: One use.
   */
  attempts: {
    /**
     * 16 bytes in base64url, drawn at random by the executor and stored before it sends them.
     */
    attempt: string;
    /**
     * First key that signed the consume.
     */
    key: string;
    /**
     * Time of its block.
     */
    time: number;
    /**
     * Its outcome is known.
     */
    reported: boolean;
  }[];
  /**
   * From the action catalogue.
   */
  reusable: boolean;
  /**
   * Nothing may be changed.
   */
  dryRun: boolean;
  /**
   * Targets that the effect touches.
   */
  targets: number;
  /**
   * How long its target rests after an act, milliseconds.
   */
  cooldownMs: number;
  /**
   * When it was granted; null: it never was.
   */
  notBefore: Moment | null;
  expires: Moment1;
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
/**
 * Block height and time: a bound is reached when either is.
 */
export interface Moment1 {
  /**
   * Block height; genesis is 0.
   */
  height: number;
  /**
   * Milliseconds UTC.
   */
  time: number;
}
