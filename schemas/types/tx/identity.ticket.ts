// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Roles that it will have.
 *
 * @minItems 0
 * @maxItems 16
 *
 * Items: A role: what policy knows an account by.
 */
export type Roles = string[];

/**
 * Body of a `identity.ticket` transaction. Makes a one-time enrolment ticket: whoever shows its secret becomes the named account, once.
 */
export interface IdentityTicketBody {
  /**
   * SHA-256("weft/ticket/v1", secret): the secret itself stays with whoever is to enrol.
   */
  digest: string;
  /**
   * Name of the account to come.
   */
  account: string;
  roles: Roles;
  /**
   * The account that brings the redemption: who enrols has no account yet, and nobody else can use a secret that was seen on its way.
   */
  redeemer: string;
  /**
   * One-time Ed25519 key for a person who has no machine of the network to redeem for him: registers the redeemer with it, without roles, until the ticket is used.
   */
  key?: string;
  /**
   * Until when; at most 30 days ahead.
   */
  expires: number;
}
