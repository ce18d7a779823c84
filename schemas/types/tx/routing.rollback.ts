// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of a `routing.rollback` transaction. Puts the content of an earlier version in force, as a new version.
 */
export interface RoutingRollbackBody {
  /**
   * Version that is in force now.
   */
  replaces: number;
  /**
   * Version whose content comes back.
   */
  to: number;
}
