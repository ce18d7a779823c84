// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Resolved effect of the action `route.close`: takes back what a grant of `route.open` let pass. Its digest is SHA-256 of its RFC 8785 form.
 */
export interface RouteCloseEffect {
  /**
   * Where.
   */
  host: string;
  /**
   * The grant: txId of its `intents.propose`.
   */
  grant: string;
}
