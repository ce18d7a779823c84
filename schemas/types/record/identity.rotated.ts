// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `identity.rotated`, members in this order. Keys of an account changed.
 */
export interface IdentityRotatedRecord {
  /**
   * Type of the record.
   */
  type: 'identity.rotated';
  /**
   * Block.
   */
  height: number;
  /**
   * Time of the block.
   */
  time: number;
  /**
   * txId of the transaction that caused it.
   */
  tx: string;
  /**
   * Sender of the transaction.
   */
  by: string;
  /**
   * A registered name.
   */
  account: string;
  /**
   * New keys.
   *
   * @minItems 0
   * @maxItems 4
   *
   * Items: A key with its id.
   */
  added: (
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
  /**
   * Ended keys.
   *
   * @minItems 0
   * @maxItems 16
   *
   * Items: First 16 hex digits of SHA-256(algorithm byte, public key).
   */
  removed: string[];
}
