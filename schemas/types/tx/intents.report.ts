// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of an `intents.report` transaction. Says how an attempt ended.
 */
export interface IntentsReportBody {
  /**
   * The grant: txId of its `intents.propose`.
   */
  grant: string;
  /**
   * 16 bytes in base64url, drawn at random by the executor and stored before it sends them.
   */
  attempt: string;
  /**
   * `unknown`: it was begun, and nobody knows how far it went.
   */
  outcome: 'done' | 'failed' | 'unknown';
  /**
   * SHA-256 of what the executor keeps about it.
   */
  result: string;
}
