// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Resolved effect of the action `cache.clear`: empties a cache. Its digest is SHA-256 of its RFC 8785 form.
 */
export interface CacheClearEffect {
  /**
   * Where.
   */
  host: string;
  /**
   * Which cache.
   */
  cache: string;
}
