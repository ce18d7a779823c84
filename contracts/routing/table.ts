// Is a routing table fit to be put in force? Everything that could make it say two things, or nothing, is refused.
import type { RoutingRule, RoutingTable } from '../../schemas/types/routing-table.ts';
import { canonicalJson } from '../../src/codec/canonical.ts';
import { concat, encodeUtf8 } from '../../src/codec/utf8.ts';
import { sha256Hex } from '../../src/crypto/hash.ts';
import { isSorted } from '../contract.ts';
import { readAccount } from '../signatures.ts';
import type { StateReader } from '../types.ts';
import { matches, roleOf } from './pattern.ts';
import { resolveAlias } from './route.ts';
import { readInstance } from './state.ts';

const TABLE_TAG = encodeUtf8('weft/routing-table/v1');

/** `SHA-256("weft/routing-table/v1" ‖ RFC 8785 table)` in hex. */
export function tableDigest(table: RoutingTable): string {
  return sha256Hex(concat(TABLE_TAG, encodeUtf8(canonicalJson(table))));
}

/**
 * The code of what is wrong with a table that has the form of its schema, or undefined:
 * - `TABLE_SYNTAX`: rule ids twice, aliases not sorted or twice, `to` with `deny`;
 * - `TABLE_TARGET_UNKNOWN`: a name that is no account, or a destination that is no instance;
 * - `TABLE_ALIAS_TAKEN`: an alias that is an account's name;
 * - `TABLE_CONFLICT`: two rules with the same match and different outcomes;
 * - `TABLE_UNREACHABLE`: a rule that an earlier one always comes before;
 * - `TABLE_LOOP`: aliases or forwarding that lead back to where they began.
 */
export function checkTable(state: StateReader, table: RoutingTable): string | undefined {
  return (
    checkSyntax(table) ??
    checkNames(state, table) ??
    checkReach(table.rules) ??
    (hasLoop(state, table) ? 'TABLE_LOOP' : undefined)
  );
}

function checkSyntax({ aliases, rules }: RoutingTable): string | undefined {
  if (!isSorted(aliases.map(({ name }) => name))) return 'TABLE_SYNTAX';
  if (new Set(rules.map(({ id }) => id)).size !== rules.length) return 'TABLE_SYNTAX';
  return rules.some((rule) => rule.outcome === 'deny' && rule.to !== undefined) ? 'TABLE_SYNTAX' : undefined;
}

function isName(pattern: string): boolean {
  return pattern !== '*' && roleOf(pattern) === undefined;
}

function checkNames(state: StateReader, { aliases, rules }: RoutingTable): string | undefined {
  const aliasNames = new Set(aliases.map(({ name }) => name));
  for (const name of aliasNames) if (readAccount(state, name) !== undefined) return 'TABLE_ALIAS_TAKEN';
  const isDestination = (name: string): boolean => aliasNames.has(name) || readInstance(state, name) !== undefined;
  for (const { to } of aliases) if (!isDestination(to)) return 'TABLE_TARGET_UNKNOWN';
  for (const { source, target, to } of rules) {
    if (isName(source) && readAccount(state, source) === undefined) return 'TABLE_TARGET_UNKNOWN';
    // Rules see targets after aliases are resolved, so an alias as a target would never match.
    if (isName(target) && readAccount(state, target) === undefined) return 'TABLE_TARGET_UNKNOWN';
    if (to !== undefined && !isDestination(to)) return 'TABLE_TARGET_UNKNOWN';
  }
  return undefined;
}

/** `wide` matches whatever `narrow` does. Roles change, so a role never covers a name nor another role. */
function covers(wide: string, narrow: string): boolean {
  return wide === '*' || wide === narrow;
}

function checkReach(rules: readonly RoutingRule[]): string | undefined {
  for (const [at, rule] of rules.entries()) {
    for (const earlier of rules.slice(0, at)) {
      if (earlier.source === rule.source && earlier.target === rule.target) {
        return earlier.outcome === rule.outcome && earlier.to === rule.to ? 'TABLE_UNREACHABLE' : 'TABLE_CONFLICT';
      }
      if (covers(earlier.source, rule.source) && covers(earlier.target, rule.target)) return 'TABLE_UNREACHABLE';
    }
  }
  return undefined;
}

/**
 * Aliases that end nowhere; and forwarding, whoever the source is: every name leads to those to which a rule may send its
 * packets. Packets are forwarded once; but two targets that forward to each other are a mistake, and a router behind them
 * would circle.
 */
function hasLoop(state: StateReader, table: RoutingTable): boolean {
  const { aliases, rules } = table;
  if (aliases.some(({ name }) => aliases.some((each) => each.name === resolveAlias(state, table, name)))) return true;
  const names = new Set<string>(aliases.map(({ to }) => resolveAlias(state, table, to)));
  for (const { target, to } of rules) {
    if (isName(target)) names.add(target);
    if (to !== undefined) names.add(resolveAlias(state, table, to));
  }
  const done = new Set<string>();
  const visit = (name: string, path: ReadonlySet<string>): boolean => {
    if (path.has(name)) return true;
    if (done.has(name)) return false;
    const longer = new Set(path).add(name);
    const found = forwardsOf(state, name, table).some((to) => visit(to, longer));
    done.add(name);
    return found;
  };
  return [...names].some((name) => visit(name, new Set()));
}

function forwardsOf(state: StateReader, name: string, table: RoutingTable): string[] {
  const roles = readAccount(state, name)?.roles ?? [];
  const leads: string[] = [];
  for (const { source, target, to } of table.rules) {
    if (!matches(target, name, roles)) continue;
    // A rule that sends a name to itself is where that name's packets arrive.
    const end = to === undefined ? name : resolveAlias(state, table, to);
    if (end !== name) leads.push(end);
    if (source === '*') break;
  }
  return leads;
}
