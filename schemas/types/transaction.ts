// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * A transaction: the body of a DSSE envelope of type application/vnd.weft.tx+json. Its bytes are accepted only as JSON.stringify writes them.
 */
export interface TransactionBody {
  /**
   * Chain id: the network name and the first 12 hex digits of the genesis hash.
   */
  chain: string;
  /**
   * Who sends; every signature of the envelope is by an active key of this account.
   */
  account: string;
  /**
   * Transaction or record type: `<contract>.<verb>`.
   */
  type: string;
  /**
   * After this time the transaction can no longer enter a block.
   */
  expires: number;
  /**
   * Makes two transactions of the same content different.
   */
  nonce: string;
  /**
   * What the transaction says; schemas/tx/ holds a schema for each type.
   */
  body: {};
}
