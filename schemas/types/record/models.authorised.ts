// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `models.authorised`, members in this order. These bytes may be deployed: its token is what a deployer demands.
 */
export interface ModelsAuthorisedRecord {
  /**
   * Type of the record.
   */
  type: 'models.authorised';
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
   * Model id.
   */
  model: string;
  /**
   * SHA-256, 64 lower-case hex digits.
   */
  sha256: string;
  /**
   * Bytes of the file.
   */
  size: number;
  /**
   * File format.
   */
  format: 'gguf';
  /**
   * The checks on which it rests.
   *
   * @minItems 1
   * @maxItems 32
   *
   * Items: A check.
   */
  attestations: {
    /**
     * Kind of check.
     */
    kind: string;
    /**
     * Outcome of a check, as in-toto test-result has it.
     */
    verdict: 'PASSED' | 'WARNED' | 'FAILED';
    /**
     * A registered name.
     */
    by: string;
    /**
     * SHA-256, 64 lower-case hex digits.
     */
    report: string;
  }[];
}
