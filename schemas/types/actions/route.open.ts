// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Resolved effect of the action `route.open`: lets packets of these addresses pass. Its digest is SHA-256 of its RFC 8785 form.
 */
export interface RouteOpenEffect {
  /**
   * Where.
   */
  host: string;
  /**
   * From.
   */
  source: string;
  /**
   * To.
   */
  destination: string;
  /**
   * Destination port; 0: any.
   */
  port: number;
  /**
   * Protocol.
   */
  protocol: 'tcp' | 'udp' | 'any';
}
