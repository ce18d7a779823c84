// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Resolved effect of the action `config.restore`: puts a configuration back to a known content. Its digest is SHA-256 of its RFC 8785 form.
 */
export interface ConfigRestoreEffect {
  /**
   * Where.
   */
  host: string;
  /**
   * Which configuration; the executor knows its path.
   */
  config: string;
  /**
   * SHA-256 of the content that it is to have.
   */
  sha256: string;
}
