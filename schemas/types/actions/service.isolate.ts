// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Resolved effect of the action `service.isolate`: cuts a service off. Its digest is SHA-256 of its RFC 8785 form.
 */
export interface ServiceIsolateEffect {
  /**
   * Where.
   */
  host: string;
  /**
   * Which service.
   */
  service: string;
  /**
   * `network`: it runs on without network; `freeze`: it does not run on.
   */
  mode: 'network' | 'freeze';
}
