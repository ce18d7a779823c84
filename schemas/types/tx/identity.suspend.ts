// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of a `identity.suspend` transaction. Stops an account: it cannot send, and packets to and from it are denied.
 */
export interface IdentitySuspendBody {
  /**
   * A registered name.
   */
  account: string;
  /**
   * Why, in words for people: printable ASCII.
   */
  reason: string;
}
