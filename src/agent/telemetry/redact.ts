import { WeftError } from '../../codec/error.ts';
import type { AgentEvent, ProcessFacts } from './event.ts';

/**
 * What must not leave the host. A rule names a member and, where only part of it is secret, a pattern; what it matches is
 * replaced. Rules come from the operator's configuration, never from outside.
 */
export type RedactionRule = {
  /** `arguments`, `path`, `command`, `uid`, `source`, `destination`, `cgroup`. */
  readonly member: RedactableMember;
  /** Only events of these kinds, by prefix (`process.`). Absent: all. */
  readonly kinds?: readonly string[];
  /** JavaScript pattern. Absent: the whole member. */
  readonly pattern?: string;
};

const redactableMembers = ['arguments', 'path', 'command', 'uid', 'source', 'destination', 'cgroup'] as const;
export type RedactableMember = (typeof redactableMembers)[number];

/** Arguments carry passwords: unless somebody says otherwise, what follows such a word goes, and passwords in addresses do. */
export const defaultRedaction: readonly RedactionRule[] = [
  {
    member: 'arguments',
    pattern: '(?<=(?:pass(?:word|wd|phrase)?|secret|token|api[-_]?key|credential)s?[=: ]\\s?)\\S+',
  },
  { member: 'arguments', pattern: '(?<=\\b(?:bearer|basic)\\s)\\S+' },
  { member: 'arguments', pattern: '(?<=://[^\\s/:@]{0,64}:)[^\\s/@]+(?=@)' },
];

export const redacted = '[redacted]';
const patternLengthMax = 512;
const rulesMax = 64;

type Compiled = { readonly member: RedactableMember; readonly kinds: readonly string[]; readonly pattern?: RegExp };

export class Redactor {
  readonly #rules: readonly Compiled[];

  /** @throws WeftError REDACTION_RULE */
  constructor(rules: readonly RedactionRule[]) {
    if (rules.length > rulesMax) throw wrong(`${rules.length} rules; at most ${rulesMax} are taken`);
    this.#rules = rules.map(compile);
  }

  apply(event: AgentEvent): AgentEvent {
    let result = event;
    for (const rule of this.#rules) {
      if (rule.kinds.length > 0 && !rule.kinds.some((kind) => event.kind.startsWith(kind))) continue;
      result = applyRule(rule, result);
    }
    return result;
  }
}

function compile({ member, kinds = [], pattern }: RedactionRule): Compiled {
  if (!redactableMembers.includes(member))
    throw wrong(`'${String(member).slice(0, 32)}' is no member to redact: one of ${redactableMembers.join(', ')}`);
  if (pattern === undefined) return { member, kinds };
  if (pattern.length > patternLengthMax) throw wrong(`a pattern of over ${patternLengthMax} characters`);
  try {
    return { member, kinds, pattern: new RegExp(pattern, 'giu') };
  } catch (error) {
    throw wrong(`${pattern} is no pattern (${error instanceof Error ? error.message : error})`);
  }
}

function applyRule(rule: Compiled, event: AgentEvent): AgentEvent {
  const text = (value: string): string =>
    rule.pattern === undefined ? redacted : value.replace(rule.pattern, redacted);
  switch (rule.member) {
    case 'arguments':
    case 'path':
    case 'command':
    case 'uid': {
      const { process, parent } = event;
      return {
        ...event,
        ...(process === undefined ? {} : { process: inProcess(rule.member, process, text) }),
        ...(parent === undefined ? {} : { parent: inProcess(rule.member, parent, text) }),
      };
    }
    case 'cgroup':
      return event.cgroup === undefined ? event : { ...event, cgroup: text(event.cgroup) };
    default: {
      const { flow, detail } = event;
      const value = flow?.[rule.member];
      if (flow === undefined || value === undefined) return event;
      const shown = text(value);
      return {
        ...event,
        flow: { ...flow, [rule.member]: shown },
        // What is said of it in words is no other way out.
        ...(detail === undefined || value === '' ? {} : { detail: detail.replaceAll(value, () => shown) }),
      };
    }
  }
}

function inProcess(
  member: 'arguments' | 'path' | 'command' | 'uid',
  facts: ProcessFacts,
  text: (value: string) => string,
): ProcessFacts {
  if (member === 'uid') {
    const { uid: _, ...rest } = facts;
    return rest;
  }
  const value = facts[member];
  return value === undefined ? facts : { ...facts, [member]: text(value) };
}

function wrong(why: string): WeftError {
  return new WeftError('REDACTION_RULE', `redaction: ${why}`);
}
