// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Sorted, none twice.
 *
 * @minItems 0
 * @maxItems 16
 *
 * Items: A role: what policy knows an account by.
 */
export type Roles = string[];

/**
 * Log record `identity.ticketed`, members in this order. An enrolment ticket exists.
 */
export interface IdentityTicketedRecord {
  /**
   * Type of the record.
   */
  type: 'identity.ticketed';
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
   * SHA-256, 64 lower-case hex digits.
   */
  digest: string;
  /**
   * A registered name.
   */
  account: string;
  roles: Roles;
  /**
   * A registered name.
   */
  redeemer: string;
  /**
   * Milliseconds UTC.
   */
  expires: number;
}
