// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Roles, sorted. `council` and `validator` cannot be given.
 *
 * @minItems 0
 * @maxItems 16
 *
 * Items: A role: what policy knows an account by.
 */
export type Roles = string[];

/**
 * Body of a `identity.register` transaction. Makes an account. Whoever sends it answers for the keys.
 */
export interface IdentityRegisterBody {
  /**
   * The new name; names are never used twice.
   */
  account: string;
  roles: Roles;
  /**
   * Its keys; at least one that signs. A key that was ever registered on this chain is refused.
   *
   * @minItems 1
   * @maxItems 8
   *
   * Items: A key of an account. `x25519` keys receive packets and never sign.
   */
  keys: (
    | {
        /**
         * Algorithm.
         */
        alg: 'ed25519' | 'p256' | 'x25519';
        /**
         * 32 bytes (ed25519, x25519) or 33 bytes (p256, compressed point) in base64url.
         */
        publicKey: string;
      }
    | {
        /**
         * A P-256 key in a security key or a device, which signs through WebAuthn only.
         */
        alg: 'webauthn-p256';
        /**
         * 33 bytes (compressed point) in base64url.
         */
        publicKey: string;
        /**
         * Domain for which the security key answers (WebAuthn relying party id).
         */
        rpId: string;
        /**
         * Web origin of the page on which it signs; its host is the rpId or below it.
         */
        origin: string;
      }
  )[];
}
