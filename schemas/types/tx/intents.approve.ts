// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of an `intents.approve` transaction. Agrees to an intent that waits for approvals.
 */
export interface IntentsApproveBody {
  /**
   * The intent: txId of its `intents.propose`.
   */
  intent: string;
}
