// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * State value at `models/model/<id>`.
 */
export interface ModelRecord {
  /**
   * Model id.
   */
  model: string;
  /**
   * What people call the model: printable ASCII.
   */
  name: string;
  /**
   * SHA-256 of the file.
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
   * Where it comes from.
   */
  source: string;
  /**
   * A registered name.
   */
  registrant: string;
  /**
   * What it was made from.
   *
   * @minItems 0
   * @maxItems 16
   */
  lineage: Parent[];
  /**
   * Revoked is final.
   */
  status: 'registered' | 'authorised' | 'revoked';
  /**
   * The newest of each kind and account, sorted by kind, then account.
   *
   * @minItems 0
   * @maxItems 32
   */
  attestations: Attestation[];
}
/**
 * A model that this one was made from.
 */
export interface Parent {
  /**
   * Model id.
   */
  model: string;
  /**
   * How.
   */
  relation: 'fine-tuned' | 'quantised' | 'converted' | 'merged' | 'distilled';
}
/**
 * A check.
 */
export interface Attestation {
  /**
   * Kind of check.
   */
  kind: string;
  /**
   * A registered name.
   */
  by: string;
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
   * Block.
   */
  height: number;
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
