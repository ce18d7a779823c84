// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * `weft-status/v1`: what ledger state said about some paths at a checkpoint (docs/tokens.md). One line of one-reading JSON, members in this order, at most 1 MiB.
 */
export interface Status {
  /**
   * Format and version.
   */
  format: 'weft-status/v1';
  /**
   * The published checkpoint, verbatim.
   */
  checkpoint: string;
  /**
   * The block record: the newest leaf of the checkpoint.
   */
  block: {
    /**
     * The leaf's exact bytes.
     */
    leaf: string;
    /**
     * Where it stands in the log.
     */
    index: number;
    /**
     * Inclusion proof, the leaf's sibling first.
     *
     * @minItems 0
     * @maxItems 63
     *
     * Items: A hash: standard base64 with padding.
     */
    proof: string[];
  };
  /**
   * Paths, ascending.
   *
   * @minItems 0
   * @maxItems 32
   *
   * Items: What state holds at a path.
   */
  state: {
    /**
     * contract/kind/id
     */
    path: string;
    /**
     * The value in RFC 8785 form, as the state tree hashed it; null where it is absent.
     */
    value: {
      [k: string]: unknown;
    };
    proof: StateProof;
  }[];
}
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
