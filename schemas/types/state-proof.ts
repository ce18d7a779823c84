// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Proof that a path of ledger state has a value, or has none, under a state root. Hashes are 64 lower-case hex digits. The path's key is SHA-256(path); bits are read from the most significant.
 */
export interface StateProof {
  /**
   * From the root down; an empty sibling is 64 zeros.
   *
   * @maxItems 256
   */
  siblings: string[];
  /**
   * The leaf at the end of the path: that of the key (it is present) or of another key (it is absent); null where the subtree is empty (it is absent).
   */
  leaf: null | {
    /**
     * SHA-256 of the path.
     */
    key: string;
    /**
     * SHA-256 of the value's RFC 8785 JSON.
     */
    valueHash: string;
  };
}
