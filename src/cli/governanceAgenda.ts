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
  | { readonly kind: 'council'; readonly threshold: number; readonly members: readonly string[] }
  | { readonly kind: 'policy'; readonly policies: readonly unknown[]; readonly minValid: number }
  | { readonly kind: 'pause'; readonly paused: boolean };

type Entry = Named & { readonly [member: string]: unknown };
const members = ['peer', 'vote', 'log', 'cosigner', 'account', 'url'] as const;

/**
 * Of each entry that a proposal would set, what of it is new: approving a new vote key is not approving a new log key.
 * @param listed the set as it is now, at `governance/validators/current`
 */
export function changedMembers({ change }: GovernanceProposal, listed: unknown): [name: string, text: string][] {
  const { kind, set } = change as unknown as { readonly kind: string; readonly set?: readonly Entry[] };
  if (kind !== 'validators' && kind !== 'observers') return [];
  const now = ((listed ?? {}) as { readonly [kind: string]: readonly Entry[] | undefined })[kind] ?? [];
  return (set ?? []).map((entry) => {
    const before = now.find(({ name }) => name === entry.name);
    if (before === undefined) return [entry.name, 'new, with keys of its own'];
    const changed = members.filter((member) => before[member] !== entry[member]);
    const texts = changed.map((member) => `${member} ${before[member]} → ${entry[member]}`);
    return [entry.name, texts.length === 0 ? 'nothing changes' : texts.join('\n')];
  });
}

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
    case 'policy':
      return `policy: ${read.policies.length} policies, grants from version ${read.minValid} on`;
    case 'pause':
      return read.paused ? 'pause: nothing is granted, no grant is used' : 'resume: grants are made and used again';
  }
}
