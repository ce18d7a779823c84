// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Its roles.
 *
 * @minItems 0
 * @maxItems 16
 *
 * Items: A role: what policy knows an account by.
 */
export type Roles = string[];

/**
 * Something that must never be granted, and the setting in which somebody asks for it: what `weft policy simulate` puts to a policy set.
 */
export interface DangerousIntent {
  /**
   * Name of the file without `.json`.
   */
  id: string;
  /**
   * What is asked for, in one line.
   */
  title: string;
  /**
   * Why it is dangerous.
   */
  why: string;
  setting: Setting;
  /**
   * What is asked for. Each of them must be refused, each in the same setting.
   *
   * @minItems 1
   * @maxItems 32
   */
  requests: Request[];
  /**
   * Which rule must be among those that refuse it: a policy where the set has one of this id, or a rule of the ledger itself, by its code.
   */
  refusedBy: RefusedByPolicy | RefusedByLedger | RefusedByDefault;
}
/**
 * The network in which it is asked for. There are always four validators v1 to v4, and a council of one member, `chair`.
 */
export interface Setting {
  /**
   * Accounts and their roles; `council` and `validator` come by themselves.
   *
   * @maxItems 64
   *
   * Items: An account.
   */
  accounts: {
    /**
     * Its name.
     */
    name: string;
    roles: Roles;
  }[];
  council?: SimulatedCouncil;
  /**
   * When it begins, UTC; by default a Monday at noon.
   */
  at?: string;
  /**
   * What has happened before: transactions that policy allowed, whatever set is looked at. Each must succeed.
   *
   * @maxItems 256
   */
  before: Step[];
}
/**
 * Another council than `chair` alone.
 */
export interface SimulatedCouncil {
  /**
   * How many decide.
   */
  threshold: number;
  /**
   * Its members, among the accounts.
   *
   * @maxItems 16
   *
   * Items: A registered name.
   */
  members: string[];
}
/**
 * A transaction, in a block of its own.
 */
export interface Step {
  /**
   * A registered name.
   */
  account: string;
  /**
   * Transaction type.
   */
  type: string;
  /**
   * Body of the transaction. Texts that begin with `$` stand for what is known only when it is sent: `$now+60000` (milliseconds UTC, as a number), `$tx:NAME` (id of the step that is called so), `$key:NAME` (a public key), `$hash:TEXT` (SHA-256 in hex), `$id:TEXT` (the same in base64url).
   */
  body: {};
  /**
   * How later ones call it: `$tx:NAME`.
   */
  as?: string;
  /**
   * Annotations of the policy that allowed it, such as `approvals`.
   *
   * @maxItems 16
   *
   * Items: An annotation.
   */
  terms?: {
    /**
     * Its name.
     */
    name: string;
    /**
     * Its value.
     */
    value: string;
  }[];
  /**
   * Milliseconds after the one before; by default a second.
   */
  afterMs?: number;
}
/**
 * A transaction.
 */
export interface Request {
  /**
   * A registered name.
   */
  account: string;
  /**
   * Transaction type.
   */
  type: string;
  /**
   * Body of the transaction. Texts that begin with `$` stand for what is known only when it is sent: `$now+60000` (milliseconds UTC, as a number), `$tx:NAME` (id of the step that is called so), `$key:NAME` (a public key), `$hash:TEXT` (SHA-256 in hex), `$id:TEXT` (the same in base64url).
   */
  body: {};
}
/**
 * A forbid.
 */
export interface RefusedByPolicy {
  /**
   * Its id.
   */
  policy: string;
}
/**
 * A rule that no policy can waive, or a bound that the permitting policy's annotations set.
 */
export interface RefusedByLedger {
  /**
   * Its code.
   */
  code: string;
}
/**
 * No rule: what no policy permits is denied.
 */
export interface RefusedByDefault {
  /**
   * Nobody permits it.
   */
  nobody: true;
}
