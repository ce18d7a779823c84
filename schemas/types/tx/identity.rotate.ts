// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of a `identity.rotate` transaction. Adds keys to an account and removes others, in one step.
 */
export interface IdentityRotateBody {
  /**
   * Whose keys; mostly the sender’s own.
   */
  account: string;
  /**
   * New keys, each with proof of possession.
   *
   * @minItems 0
   * @maxItems 4
   *
   * Items: A key with proof that whoever brings it holds its secret.
   */
  add: (
    | {
        /**
         * Algorithm.
         */
        alg: 'ed25519' | 'p256' | 'x25519';
        /**
         * 32 bytes (ed25519, x25519) or 33 bytes (p256, compressed point) in base64url.
         */
        publicKey: string;
        /**
         * Signature by this key (contracts/identity/README.md says over what); null for x25519, which cannot sign.
         */
        proof: string | null;
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
        proof: Assertion;
      }
  )[];
  /**
   * Ids of keys that end with this transaction, sorted.
   *
   * @minItems 0
   * @maxItems 16
   *
   * Items: First 16 hex digits of SHA-256(algorithm byte, public key).
   */
  remove: string[];
}
/**
 * A WebAuthn assertion (docs/formats.md, Signatures by people): base64url here, unlike in an envelope.
 */
export interface Assertion {
  /**
   * 37 bytes in base64url.
   */
  authenticatorData: string;
  /**
   * What the browser wrote, in base64url.
   */
  clientDataJSON: string;
  /**
   * 64 bytes in base64url.
   */
  sig: string;
}
