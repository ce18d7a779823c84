// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Resolved effect of the action `sysctl.set`: sets a kernel parameter. Its digest is SHA-256 of its RFC 8785 form.
 */
export interface SysctlSetEffect {
  /**
   * Where.
   */
  host: string;
  /**
   * Its name, with dots.
   */
  key: string;
  /**
   * Whole numbers, parted by single spaces.
   */
  value: string;
}
