// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of a `models.authorise` transaction. Lets a model be deployed. At least one check must have passed, none may have failed, and policy must agree.
 */
export interface ModelsAuthoriseBody {
  /**
   * Model id.
   */
  model: string;
  /**
   * The file that is meant: what is authorised is these bytes.
   */
  sha256: string;
}
