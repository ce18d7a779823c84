// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Resolved effect of the action `service.restart`: restarts a service. Its digest is SHA-256 of its RFC 8785 form.
 */
export interface ServiceRestartEffect {
  /**
   * Where.
   */
  host: string;
  /**
   * Which service.
   */
  service: string;
}
