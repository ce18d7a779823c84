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
   */
  add: ProvenKey[];
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
