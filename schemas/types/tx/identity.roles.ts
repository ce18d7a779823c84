// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * All roles that it has from now on, sorted. `council` and `validator` stay as they are and are not named.
 *
 * @minItems 0
 * @maxItems 16
 *
 * Items: A role: what policy knows an account by.
 */
export type Roles = string[];

/**
 * Body of a `identity.roles` transaction. Sets the roles of an account.
 */
export interface IdentityRolesBody {
  /**
   * A registered name.
   */
  account: string;
  roles: Roles;
}
