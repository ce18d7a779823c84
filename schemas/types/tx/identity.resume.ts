// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of a `identity.resume` transaction. Ends a suspension.
 */
export interface IdentityResumeBody {
  /**
   * A registered name.
   */
  account: string;
  /**
   * Why, in words for people: printable ASCII.
   */
  reason: string;
}
