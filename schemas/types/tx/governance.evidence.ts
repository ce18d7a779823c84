// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of a `governance.evidence` transaction. Two messages of one validator that no honest one signs.
 */
export interface GovernanceEvidenceBody {
  /**
   * Votes, or cosignatures of checkpoints.
   */
  kind: 'votes' | 'cosignatures';
  /**
   * Epoch whose keys signed.
   */
  epoch: number;
  /**
   * A signed message as validators send it, in standard padded base64.
   */
  a: string;
  /**
   * A signed message as validators send it, in standard padded base64.
   */
  b: string;
}
