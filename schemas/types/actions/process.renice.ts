// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Resolved effect of the action `process.renice`: changes the priority of one process. Its digest is SHA-256 of its RFC 8785 form.
 */
export interface ProcessReniceEffect {
  /**
   * Where.
   */
  host: string;
  /**
   * Process id.
   */
  pid: number;
  /**
   * When it started, clock ticks since boot (field 22 of /proc/<pid>/stat): another process may get its id.
   */
  started: number;
  /**
   * The new value.
   */
  nice: number;
}
