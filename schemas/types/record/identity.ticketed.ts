// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Sorted, none twice.
 *
 * @minItems 0
 * @maxItems 16
 *
 * Items: A role: what policy knows an account by.
 */
export type Roles = string[];

/**
 * Log record `identity.ticketed`, members in this order. An enrolment ticket exists.
 */
export interface IdentityTicketedRecord {
  /**
   * Type of the record.
   */
  type: 'identity.ticketed';
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
   * SHA-256, 64 lower-case hex digits.
   */
  digest: string;
  /**
   * A registered name.
   */
  account: string;
  roles: Roles;
  /**
   * A registered name.
   */
  redeemer: string;
  /**
   * Where the ticket made its redeemer: the one-time key.
   */
  key?:
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
      };
  /**
   * Milliseconds UTC.
   */
  expires: number;
}
