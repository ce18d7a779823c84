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
   */
  keys: ProvenKey[];
}
/**
 * A key with proof that whoever brings it holds its secret.
 */
export interface ProvenKey {
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
