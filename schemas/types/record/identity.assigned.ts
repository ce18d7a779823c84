// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * All of them, sorted.
 *
 * @minItems 0
 * @maxItems 16
 *
 * Items: A role: what policy knows an account by.
 */
export type Roles = string[];
/**
 * Sorted, none twice.
 *
 * @minItems 0
 * @maxItems 16
 *
 * Items: A role: what policy knows an account by.
 */
export type Roles1 = string[];

/**
 * Log record `identity.assigned`, members in this order. The roles of an account changed.
 */
export interface IdentityAssignedRecord {
  /**
   * Type of the record.
   */
  type: 'identity.assigned';
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
   * A registered name.
   */
  account: string;
  roles: Roles;
  granted: Roles1;
  withdrawn: Roles1;
}
