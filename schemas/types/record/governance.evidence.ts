// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Log record `governance.evidence`, members in this order. A validator signed two messages that contradict each other; they are in the transaction.
 */
export interface GovernanceEvidenceRecord {
  /**
   * Type of the record.
   */
  type: 'governance.evidence';
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
   * Votes, or cosignatures of checkpoints.
   */
  kind: 'votes' | 'cosignatures';
  /**
   * Name of a validator or observer: also a name in a trust file, so none of the words of that format.
   */
  offender: string;
  /**
   * Epoch whose keys signed.
   */
  epoch: number;
  /**
   * View of the votes, size of the checkpoints.
   */
  at: number;
}
