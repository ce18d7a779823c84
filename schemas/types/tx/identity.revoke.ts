// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of a `identity.revoke` transaction. Ends a key for ever, effective from the next transaction.
 */
export interface IdentityRevokeBody {
  /**
   * A registered name.
   */
  account: string;
  /**
   * First 16 hex digits of SHA-256(algorithm byte, public key).
   */
  keyid: string;
  /**
   * Why, in words for people: printable ASCII.
   */
  reason: string;
}
