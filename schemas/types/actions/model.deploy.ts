// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Resolved effect of the action `model.deploy`: puts a model file into service. Its digest is SHA-256 of its RFC 8785 form.
 */
export interface ModelDeployEffect {
  /**
   * Where.
   */
  host: string;
  /**
   * Model id.
   */
  model: string;
  /**
   * SHA-256 of the file.
   */
  sha256: string;
}
