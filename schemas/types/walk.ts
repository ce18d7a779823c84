// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * `weft-walk/v1`: how trust in the validators of one epoch leads to trust in the present ones (docs/tokens.md). One line of one-reading JSON, members in this order, at most 4 MiB.
 */
export interface Walk {
  /**
   * Format and version.
   */
  format: 'weft-walk/v1';
  /**
   * Changes of validators, oldest first.
   *
   * @minItems 0
   * @maxItems 64
   *
   * Items: The end of an epoch.
   */
  steps: {
    /**
     * The closing checkpoint, cosigned by the validators whose epoch it ends.
     */
    checkpoint: string;
    /**
     * Its block record: the newest leaf.
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
     * The epoch record of that block: the next validators.
     */
    epoch: {
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
     * Consistency proof to the checkpoint of the next step, of the last step to the walk's.
     *
     * @minItems 0
     * @maxItems 64
     *
     * Items: A hash: standard base64 with padding.
     */
    consistency: string[];
  }[];
  /**
   * A checkpoint cosigned by the present validators.
   */
  checkpoint: string;
}
