import type { GovernanceProposal, GovernanceStatus } from '../client/index.ts';
import { WeftError } from '../codec/error.ts';

/** Proposals as people name them and read them. */

/** By id, or by its beginning where that says which. @throws WeftError PROPOSAL_AMBIGUOUS */
export function findProposal({ proposals }: GovernanceStatus, id: string): GovernanceProposal | undefined {
  const found = proposals.filter(({ proposal }) => id !== '' && proposal.startsWith(id));
  if (found.length > 1)
    throw new WeftError('PROPOSAL_AMBIGUOUS', `${found.length} proposals begin with ${id}; write more of the id`);
  return found[0];
}

/** @throws WeftError PROPOSAL_UNKNOWN, PROPOSAL_AMBIGUOUS */
export function needProposal(status: GovernanceStatus, id: string): GovernanceProposal {
  const found = findProposal(status, id);
  if (found === undefined) throw unknownProposal(id);
  return found;
}

export function unknownProposal(id: string): WeftError {
  return new WeftError('PROPOSAL_UNKNOWN', `no proposal ${id} is on the agenda; weft governance list shows it`);
}

type Named = { readonly name: string };
type Change =
  | { readonly kind: 'validators' | 'observers'; readonly set: readonly Named[]; readonly remove: readonly string[] }
  | { readonly kind: 'parameters'; readonly parameters: { readonly [name: string]: number } }
  | { readonly kind: 'ruleset'; readonly ruleset: number }
  | { readonly kind: 'council'; readonly threshold: number; readonly members: readonly string[] };

/** In one line: `validators: +v5 ~v2 -v3` (added, replaced, removed). */
export function changeText({ change }: GovernanceProposal, status: GovernanceStatus): string {
  // The contract took it, so it has the form of the transaction's schema.
  const read = change as unknown as Change;
  switch (read.kind) {
    case 'validators':
    case 'observers': {
      const there = new Set(status[read.kind].map(({ name }) => name));
      const set = read.set.map(({ name }) => `${there.has(name) ? '~' : '+'}${name}`);
      return `${read.kind}: ${[...set, ...read.remove.map((name) => `-${name}`)].join(' ')}`;
    }
    case 'parameters': {
      const changed = Object.entries(read.parameters).filter(([name, value]) => status.parameters[name] !== value);
      return `parameters: ${changed.map(([name, value]) => `${name} ${status.parameters[name]} → ${value}`).join(', ')}`;
    }
    case 'ruleset':
      return `ruleset: ${status.ruleset} → ${read.ruleset}`;
    case 'council':
      return `council: ${read.threshold} of ${read.members.join(' ')}`;
  }
}
