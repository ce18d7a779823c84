// Cedar answers yes or no; how far a yes goes stands in the annotations of the policies that permitted. The strictest of each
// wins. What does not read as it should permits nothing: a typing error must not take a bound away.
import type { Decision } from '../../src/policy/types.ts';
import { APPROVERS_MAX } from './state.ts';

export type ApproverKey = 'any' | 'webauthn';

export type Terms = {
  readonly ttlMs: number;
  readonly maxUses: number;
  /** Targets of all grants of the action in force, with the new one. */
  readonly maxTargets: number;
  /** The same of one requester's grants. */
  readonly maxTargetsEach: number;
  readonly approvals: number;
  readonly approverKey: ApproverKey;
  readonly dryRunOnly: boolean;
  readonly cooldownMs: number;
};

const TTL_MAX_MS = 24 * 3_600_000;
const COOLDOWN_MAX_MS = 30 * 24 * 3_600_000;
const USES_MAX = 32;
const COUNT_MAX = 999_999_999;

const unbounded: Terms = {
  ttlMs: TTL_MAX_MS,
  maxUses: USES_MAX,
  maxTargets: Number.MAX_SAFE_INTEGER,
  maxTargetsEach: Number.MAX_SAFE_INTEGER,
  approvals: 0,
  approverKey: 'any',
  dryRunOnly: false,
  cooldownMs: 0,
};

/** Annotation → the terms with it, or undefined where its value does not read. */
const readers: ReadonlyMap<string, (value: string, terms: Terms) => Terms | undefined> = new Map([
  ['ttl', numeric(duration(TTL_MAX_MS), 1000, (terms, ttlMs) => ({ ...terms, ttlMs: Math.min(terms.ttlMs, ttlMs) }))],
  ['max_uses', numeric(whole(USES_MAX), 1, (terms, uses) => ({ ...terms, maxUses: Math.min(terms.maxUses, uses) }))],
  [
    'max_targets',
    numeric(whole(COUNT_MAX), 1, (terms, targets) => ({ ...terms, maxTargets: Math.min(terms.maxTargets, targets) })),
  ],
  [
    'max_targets_each',
    numeric(whole(COUNT_MAX), 1, (terms, targets) => ({
      ...terms,
      maxTargetsEach: Math.min(terms.maxTargetsEach, targets),
    })),
  ],
  [
    'approvals',
    numeric(whole(APPROVERS_MAX), 0, (terms, count) => ({ ...terms, approvals: Math.max(terms.approvals, count) })),
  ],
  [
    'cooldown',
    numeric(duration(COOLDOWN_MAX_MS), 0, (terms, ms) => ({ ...terms, cooldownMs: Math.max(terms.cooldownMs, ms) })),
  ],
  ['approver_key', words({ webauthn: (terms) => ({ ...terms, approverKey: 'webauthn' }), any: (terms) => terms })],
  ['dry_run', words({ true: (terms) => ({ ...terms, dryRunOnly: true }), false: (terms) => terms })],
  // What always happens may be said.
  ['unreported', words({ alert: (terms) => terms })],
]);

/**
 * For whoever writes policies: whether an annotation reads, or undefined when nothing reads one of this name.
 */
export function readsAnnotation(name: string, value: string): boolean | undefined {
  const read = readers.get(name);
  return read === undefined ? undefined : read(value, unbounded) !== undefined;
}

/** The terms on which a decision permits, or undefined when an annotation of a permitting policy does not read. */
export function termsOf({ reasons, annotations }: Decision): Terms | undefined {
  let terms: Terms | undefined = unbounded;
  for (const policy of reasons) {
    for (const [name, value] of Object.entries(annotations[policy] ?? {})) {
      const read = readers.get(name);
      if (read === undefined) continue;
      terms = read(value, terms);
      if (terms === undefined) return undefined;
    }
  }
  return terms;
}

type Read = (value: string, terms: Terms) => Terms | undefined;

function numeric(
  read: (value: string) => number | undefined,
  min: number,
  apply: (terms: Terms, value: number) => Terms,
): Read {
  return (value, terms) => {
    const number = read(value);
    return number === undefined || number < min ? undefined : apply(terms, number);
  };
}

function words(meanings: { readonly [word: string]: (terms: Terms) => Terms }): Read {
  const known = new Map(Object.entries(meanings));
  return (value, terms) => known.get(value)?.(terms);
}

const DIGITS_MAX = 9;

/** Decimal, without sign or leading zeros, at most `max`. */
function whole(max: number): (value: string) => number | undefined {
  return (value) => {
    if (value === '' || value.length > DIGITS_MAX || (value.startsWith('0') && value !== '0')) return undefined;
    for (const digit of value) if (digit < '0' || digit > '9') return undefined;
    const number = Number(value);
    return number > max ? undefined : number;
  };
}

const units: readonly (readonly [suffix: string, ms: number])[] = [
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
];

/** `60s`, `5m`, `24h`, `1500ms`: a whole number and its unit. */
function duration(maxMs: number): (value: string) => number | undefined {
  const readCount = whole(COUNT_MAX);
  return (value) => {
    const unit = units.find(([suffix]) => value.endsWith(suffix));
    if (unit === undefined) return undefined;
    const [suffix, ms] = unit;
    const count = readCount(value.slice(0, -suffix.length));
    return count === undefined || count * ms > maxMs ? undefined : count * ms;
  };
}
