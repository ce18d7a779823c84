// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of a `identity.redeem` transaction. Uses up an enrolment ticket: registers the account that it names with the keys given here.
 */
export interface IdentityRedeemBody {
  /**
   * The ticket’s secret.
   */
  secret: string;
  /**
   * Keys of the new account, each with proof of possession; at least one that signs.
   *
   * @minItems 1
   * @maxItems 4
   *
   * Items: A key with proof that whoever brings it holds its secret.
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
