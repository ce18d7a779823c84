// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `models.attested`, members in this order. The outcome of a check.
 */
export interface ModelsAttestedRecord {
  /**
   * Type of the record.
   */
  type: 'models.attested';
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
   * The file.
   */
  sha256: string;
  /**
   * Kind of check.
   */
  kind: string;
  /**
   * Outcome of a check, as in-toto test-result has it.
   */
  verdict: 'PASSED' | 'WARNED' | 'FAILED';
  /**
   * SHA-256, 64 lower-case hex digits.
   */
  report: string;
  tool: Tool;
  /**
   * Whose attestation it took the place of.
   */
  supersedes: string | null;
  /**
   * What the model is now: a failed check withdraws an authorisation.
   */
  status: 'registered' | 'authorised';
}
/**
 * What made the check.
 */
export interface Tool {
  /**
   * Name of the tool.
   */
  name: string;
  /**
   * Its version.
   */
  version: string;
}
