// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `tx.refused`, members in this order. The transaction changed nothing; its id is used up.
 */
export interface TxRefusedRecord {
  /**
   * Type of the record.
   */
  type: 'tx.refused';
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
   * Sender.
   */
  account: string;
  /**
   * Its type.
   */
  transaction: string;
  /**
   * Why.
   */
  code: string;
  /**
   * With POLICY_DENIED: the policies that forbade it, sorted (none: no policy permits it).
   *
   * @minItems 0
   * @maxItems 8
   *
   * Items: Policy id.
   */
  reasons: string[];
}
