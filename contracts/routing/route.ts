// Where do packets from this source to this target go, by the table in force? A pure question: the table never changes
// what an account may do, it says where things lead.
import type { RoutingTable } from '../../schemas/types/routing-table.ts';
import { readAccount } from '../signatures.ts';
import type { StateReader } from '../types.ts';
import { matches } from './pattern.ts';

export type Route = {
  /** Id of the rule that decided; undefined where none matched. */
  readonly rule: string | undefined;
  readonly outcome: 'allow' | 'deny';
  /** Name of the instance that receives the packets; the target itself unless an alias or forwarding leads elsewhere. */
  readonly destination: string;
};

/** More than any table that passed `checkTable` needs; a bound all the same. */
const ALIAS_HOPS_MAX = 32;

/** An account's own name always means the account, whatever a table that is older than it says. */
export function resolveAlias(state: StateReader, table: RoutingTable, name: string): string {
  let at = name;
  for (let hops = 0; hops < ALIAS_HOPS_MAX; hops += 1) {
    const alias = table.aliases.find((each) => each.name === at);
    if (alias === undefined || readAccount(state, at) !== undefined) return at;
    at = alias.to;
  }
  return at;
}

/** The first rule that matches source and resolved target decides; without one, deny. Packets are forwarded once. */
export function routeOf(state: StateReader, table: RoutingTable, source: string, target: string): Route {
  const resolved = resolveAlias(state, table, target);
  const sourceRoles = readAccount(state, source)?.roles ?? [];
  const targetRoles = readAccount(state, resolved)?.roles ?? [];
  for (const rule of table.rules) {
    if (!matches(rule.source, source, sourceRoles) || !matches(rule.target, resolved, targetRoles)) continue;
    const destination = rule.to === undefined ? resolved : resolveAlias(state, table, rule.to);
    return { rule: rule.id, outcome: rule.outcome, destination };
  }
  return { rule: undefined, outcome: 'deny', destination: resolved };
}
