/** Roles that the ledger gives: to the members of the council, and to the accounts that speak for validators. */
export const COUNCIL_ROLE = 'council';
export const VALIDATOR_ROLE = 'validator';
export const reservedRoles: ReadonlySet<string> = new Set([COUNCIL_ROLE, VALIDATOR_ROLE]);

export const ROLES_MAX = 16;
