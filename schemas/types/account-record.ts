// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * State value at `identity/account/<name>`.
 */
export interface AccountRecord {
  /**
   * A registered name.
   */
  account: string;
  /**
   * A suspended account cannot send.
   */
  status: 'active' | 'suspended';
  /**
   * Roles, sorted, with `council` and `validator` where the ledger gave them.
   *
   * @minItems 0
   * @maxItems 18
   *
   * Items: A role: what policy knows an account by.
   */
  roles: string[];
  /**
   * Active keys, in order of registration.
   *
   * @minItems 0
   * @maxItems 16
   */
  keys: NamedKey[];
}
/**
 * A key with its id.
 */
export interface NamedKey {
  /**
   * First 16 hex digits of SHA-256(algorithm byte, public key).
   */
  keyid: string;
  /**
   * Algorithm.
   */
  alg: 'ed25519' | 'p256' | 'x25519';
  /**
   * 32 or 33 bytes in base64url.
   */
  publicKey: string;
}
