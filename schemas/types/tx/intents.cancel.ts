// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of an `intents.cancel` transaction. Takes back an intent that waits, or a grant.
 */
export interface IntentsCancelBody {
  /**
   * The intent: txId of its `intents.propose`.
   */
  intent: string;
}
