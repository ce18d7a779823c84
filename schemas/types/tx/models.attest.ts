// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of a `models.attest` transaction. Records the outcome of a check. A later one of the same kind by the same account takes the place of the earlier.
 */
export interface ModelsAttestBody {
  /**
   * Model id.
   */
  model: string;
  /**
   * Kind of check.
   */
  kind: string;
  /**
   * Outcome of a check, as in-toto test-result has it.
   */
  verdict: 'PASSED' | 'WARNED' | 'FAILED';
  /**
   * SHA-256 of the report.
   */
  report: string;
  tool: Tool;
  /**
   * Another account whose attestation of this kind this one takes the place of; policy decides who may.
   */
  supersedes: string | null;
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
