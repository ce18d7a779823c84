// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of a `models.revoke` transaction. Ends a model for ever.
 */
export interface ModelsRevokeBody {
  /**
   * Model id.
   */
  model: string;
  /**
   * Why, in words for people: printable ASCII.
   */
  reason: string;
}
