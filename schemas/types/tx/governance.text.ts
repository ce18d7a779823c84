// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of a `governance.text` transaction. Uploads a text that a policy set is to name by its digest.
 */
export interface GovernanceTextBody {
  /**
   * A policy, or a Cedar schema: at most 16 KiB in UTF-8.
   */
  text: string;
}
