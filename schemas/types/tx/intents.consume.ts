// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of an `intents.consume` transaction. Takes one use of a grant, before acting.
 */
export interface IntentsConsumeBody {
  /**
   * The grant: txId of its `intents.propose`.
   */
  grant: string;
  /**
   * 16 bytes in base64url, drawn at random by the executor and stored before it sends them.
   */
  attempt: string;
}
