// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Resolved effect of the action `policy.emergency-block`: drops packets of these addresses at a gate, for a while. Its digest is SHA-256 of its RFC 8785 form.
 */
export interface PolicyEmergencyBlockEffect {
  /**
   * Where.
   */
  host: string;
  /**
   * Name under which the gate keeps it.
   */
  policy: string;
  /**
   * Whom.
   */
  block: string;
  /**
   * How long, milliseconds.
   */
  durationMs: number;
}
