// Generated from the schemas beside this folder by `npm run types`. Change those, not this.

/**
 * Body of a `routing.publish` transaction. Puts a routing table in force.
 */
export interface RoutingPublishBody {
  /**
   * Version that is in force now; 0 before the first. Another one means that somebody was faster.
   */
  replaces: number;
  table: RoutingTable;
}
/**
 * Who may send packets to whom, and where they go. The first rule that matches source and target decides; without one the packets are denied.
 */
export interface RoutingTable {
  /**
   * Format of this document.
   */
  format: 'weft/routing-table/v1';
  /**
   * Other names of targets, sorted by name.
   *
   * @minItems 0
   * @maxItems 32
   */
  aliases: RoutingAlias[];
  /**
   * In order of priority.
   *
   * @minItems 1
   * @maxItems 64
   */
  rules: RoutingRule[];
}
/**
 * A name that stands for another.
 */
export interface RoutingAlias {
  /**
   * No account has this name.
   */
  name: string;
  /**
   * An instance or another alias.
   */
  to: string;
}
/**
 * A rule.
 */
export interface RoutingRule {
  /**
   * Name of the rule: records say it.
   */
  id: string;
  /**
   * Who sends. `*` for all, `role:<role>` for the accounts that have it, else an account’s name.
   */
  source: string;
  /**
   * To whom. `*` for all, `role:<role>` for the accounts that have it, else an account’s name.
   */
  target: string;
  /**
   * What happens.
   */
  outcome: 'allow' | 'deny';
  /**
   * Only with `allow`: the instance (or alias) that receives the packets instead of the target.
   */
  to?: string;
}
