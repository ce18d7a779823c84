// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `intents.lapsed`, members in this order. It waited for approvals that did not come in time.
 */
export interface IntentsLapsedRecord {
  /**
   * Type of the record.
   */
  type: 'intents.lapsed';
  /**
   * Block.
   */
  height: number;
  /**
   * Time of the block.
   */
  time: number;
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
   * Who proposed it.
   */
  requester: string;
  /**
   * Who was to act.
   */
  audience: string;
  /**
   * Approvals that counted.
   */
  approvals: number;
  /**
   * How many approvals it needs.
   */
  approvalsNeeded: number;
}
