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
   *
   * Items: A key with its id.
   */
  keys: (
    | {
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
    | {
        /**
         * First 16 hex digits of SHA-256(algorithm byte, public key).
         */
        keyid: string;
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
