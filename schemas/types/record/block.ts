// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `block`, members in this order: the last leaf of each block, so the newest one is leaf `size − 1` of every checkpoint.
 */
export interface BlockRecord {
  /**
   * Type of the record.
   */
  type: 'block';
  /**
   * Block height; genesis is 0.
   */
  height: number;
  /**
   * Epoch, from 1.
   */
  epoch: number;
  /**
   * Milliseconds UTC.
   */
  time: number;
  /**
   * Block id of the parent.
   */
  parent: string;
  /**
   * Root of the state after this block.
   */
  stateRoot: string;
  /**
   * Ruleset.
   */
  ruleset: number;
  policy: PolicyVersion;
  /**
   * SHA-256, 64 lower-case hex digits.
   */
  validators: string;
}
/**
 * The policy set by which decisions are made.
 */
export interface PolicyVersion {
  /**
   * Counts from 1 at genesis.
   */
  version: number;
  /**
   * SHA-256, 64 lower-case hex digits.
   */
  digest: string;
}
