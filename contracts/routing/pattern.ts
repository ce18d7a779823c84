const ROLE = 'role:';

/** `role:agent` → `agent`; undefined for `*` and for names, which hold no colon. */
export function roleOf(pattern: string): string | undefined {
  return pattern.startsWith(ROLE) ? pattern.slice(ROLE.length) : undefined;
}

/** True when a rule's `source` or `target` speaks of this account. */
export function matches(pattern: string, name: string, roles: readonly string[]): boolean {
  const role = roleOf(pattern);
  if (role !== undefined) return roles.includes(role);
  return pattern === '*' || pattern === name;
}
