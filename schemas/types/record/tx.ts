// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Leaf `tx`, members in this order: the envelope of a transaction, in its exact bytes. Its records follow it.
 */
export interface TransactionLeaf {
  /**
   * Type of the leaf.
   */
  type: 'tx';
  /**
   * DSSE envelope.
   */
  envelope: {
    /**
     * The transaction’s body in standard padded base64.
     */
    payload: string;
    /**
     * DSSE payload type.
     */
    payloadType: 'application/vnd.weft.tx+json';
    /**
     * Sorted by key id.
     *
     * @minItems 1
     * @maxItems 16
     *
     * Items: A signature.
     */
    signatures: (
      | {
          /**
           * First 16 hex digits of SHA-256(algorithm byte, public key).
           */
          keyid: string;
          /**
           * Absent for Ed25519.
           */
          alg?: 'p256';
          /**
           * 64 bytes in standard padded base64.
           */
          sig: string;
        }
      | {
          /**
           * First 16 hex digits of SHA-256(algorithm byte, public key).
           */
          keyid: string;
          /**
           * Algorithm.
           */
          alg: 'webauthn-p256';
          /**
           * 37 bytes in standard padded base64.
           */
          authenticatorData: string;
          /**
           * What the browser wrote, in standard padded base64.
           */
          clientDataJSON: string;
          /**
           * 64 bytes in standard padded base64.
           */
          sig: string;
        }
    )[];
  };
}
