import { WeftError } from '../codec/error.ts';
import type { Json } from '../codec/json.ts';
import type { Grant } from './grant.ts';
import { checkNumbers, defaultMaxClockSkewMs } from './numbers.ts';
import { type StateChecks, type VerifiedState, type VerifyStateOptions, verifyState } from './state.ts';
import { type VerifiedToken, verifyToken } from './verify.ts';

/** State paths that a status of a grant proves: the grant, the policy in force, the kill switch, both accounts. */
export function statusPaths({
  intent,
  requester,
  audience,
}: Pick<Grant, 'intent' | 'requester' | 'audience'>): string[] {
  const paths = [
    `intents/grant/${intent}`,
    'governance/policy/current',
    'governance/pause/current',
    `identity/account/${requester}`,
    `identity/account/${audience}`,
  ];
  return [...new Set(paths)].sort();
}

export type StatusChecks = StateChecks & {
  /** How far this clock may be off; counts against the grant. Default 2,000. */
  readonly maxClockSkewMs?: number;
  /** A use that was consumed goes on (a route that stays open): that none is left then stands against nothing. Default false. */
  readonly inUse?: boolean;
};

/** The grant as the ledger held it at a fresh checkpoint. */
export type VerifiedStatus = {
  /** How often the grant may still be consumed: at least 1, unless it is `inUse`. */
  readonly usesLeft: number;
  readonly uses: number;
  readonly maxUses: number;
  /** Milliseconds UTC at which at least one honest validator had signed the checkpoint. */
  readonly checkpointTime: number;
  readonly ageMs: number;
  /** Of the newest block that it covers. */
  readonly height: number;
  readonly blockTime: number;
  /** Number of the policy set in force, and of the oldest whose grants still count. */
  readonly policy: { readonly version: number; readonly minValid: number };
  readonly grant: Grant;
  readonly checkpoint: VerifiedState['checkpoint'];
};

/**
 * The executor's second step (5-policy-and-tokens): what a grant was when it was made still holds at a fresh checkpoint. `token`: its
 * text, which is verified here, or what `verifyToken` answered under the same trust. Fails closed. Throws a WeftError and nothing else:
 * those of `verifyToken` and `verifyState`, STATUS_KIND (the token is no grant), STATUS_INCOMPLETE (the document lacks a path),
 * STATUS_STATE_INVALID (state has another form), STATUS_NOT_GRANTED, STATUS_CANCELLED, STATUS_EXPIRED, STATUS_MISMATCH (state tells another
 * grant of that name), STATUS_USED_UP, STATUS_POLICY_SUPERSEDED, STATUS_PAUSED, STATUS_SUSPENDED.
 */
export function checkStatus(
  token: string | Uint8Array | VerifiedToken,
  status: string | Uint8Array,
  options: VerifyStateOptions & StatusChecks,
): VerifiedStatus {
  const { trust, hash, verify, now, maxClockSkewMs = defaultMaxClockSkewMs, inUse = false } = options;
  checkNumbers({ now, maxClockSkewMs });
  const verified =
    typeof token === 'string' || token instanceof Uint8Array
      ? verifyToken(token, { trust, hash, verify, now, maxClockSkewMs })
      : token;
  if (verified.kind !== 'grant' || verified.checkpoint.origin !== trust.origin) {
    throw new WeftError('STATUS_KIND', 'The token is no grant of this chain, so it has no status.');
  }
  const { grant } = verified;
  const state = verifyState(status, options);
  const { block, checkpoint, ageMs } = state;
  const { uses, maxUses } = checkGrantState(grant, state);
  if (uses >= maxUses && !inUse) {
    throw new WeftError('STATUS_USED_UP', `All ${maxUses} uses of the grant are consumed: propose it again.`);
  }
  // State says "granted" until somebody looks; the bounds are what decides.
  if (
    now + maxClockSkewMs >= grant.expires.time ||
    block.time >= grant.expires.time ||
    block.height >= grant.expires.height
  ) {
    throw new WeftError('STATUS_EXPIRED', 'The grant has expired: propose it again.');
  }
  const policy = checkPolicy(grant, state);
  if (flagAt(state, 'governance/pause/current', 'paused')) {
    throw new WeftError('STATUS_PAUSED', 'The council has paused all grants: do not act before it resumes them.');
  }
  for (const account of new Set([grant.requester, grant.audience])) {
    const is = textAt(state, `identity/account/${account}`, 'status');
    if (is !== 'active')
      throw new WeftError('STATUS_SUSPENDED', `The account ${account} is ${is}: do not act.`, { account });
  }
  return {
    usesLeft: maxUses - uses,
    uses,
    maxUses,
    checkpointTime: checkpoint.time,
    ageMs,
    height: block.height,
    blockTime: block.time,
    policy,
    grant,
    checkpoint,
  };
}

function checkGrantState(grant: Grant, state: VerifiedState): { readonly uses: number; readonly maxUses: number } {
  const path = `intents/grant/${grant.intent}`;
  if (valueAt(state, path) === null) {
    throw new WeftError(
      'STATUS_NOT_GRANTED',
      'State knows no such grant: it is too old or too new for this checkpoint.',
    );
  }
  const is = textAt(state, path, 'status');
  if (is === 'cancelled') throw new WeftError('STATUS_CANCELLED', 'The grant was cancelled: do not act.');
  if (is === 'expired') throw new WeftError('STATUS_EXPIRED', 'The grant has expired: propose it again.');
  if (is !== 'granted') throw new WeftError('STATUS_NOT_GRANTED', `The intent is ${is}, not granted: do not act.`);
  for (const name of ['action', 'resource', 'requester', 'audience', 'effect'] as const) {
    if (textAt(state, path, name) !== grant[name]) {
      throw new WeftError(
        'STATUS_MISMATCH',
        `State tells another ${name} than the token: do not act, and tell the council.`,
      );
    }
  }
  const uses = numberAt(state, path, 'uses');
  const maxUses = numberAt(state, path, 'maxUses');
  if (maxUses !== grant.maxUses) {
    throw new WeftError(
      'STATUS_MISMATCH',
      'State tells another maxUses than the token: do not act, and tell the council.',
    );
  }
  return { uses, maxUses };
}

function checkPolicy(grant: Grant, state: VerifiedState): VerifiedStatus['policy'] {
  const path = 'governance/policy/current';
  const policy = { version: numberAt(state, path, 'version'), minValid: numberAt(state, path, 'minValid') };
  if (grant.policy.version < policy.minValid) {
    throw new WeftError(
      'STATUS_POLICY_SUPERSEDED',
      `The grant was made under policy ${grant.policy.version}; only those from ${policy.minValid} on count: propose it again.`,
      policy,
    );
  }
  return policy;
}

/** Null: state has nothing there. Throws STATUS_INCOMPLETE. */
function valueAt(state: VerifiedState, path: string): Json {
  const value = state.values.get(path);
  if (value === undefined) throw new WeftError('STATUS_INCOMPLETE', `The status says nothing about ${path}.`, { path });
  return value;
}

function memberAt(state: VerifiedState, path: string, name: string): Json | undefined {
  const value = valueAt(state, path);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, name) ? (value as { readonly [name: string]: Json })[name] : undefined;
}

function textAt(state: VerifiedState, path: string, name: string): string {
  const value = memberAt(state, path, name);
  if (typeof value === 'string') return value;
  throw stateInvalid(path, name);
}

function numberAt(state: VerifiedState, path: string, name: string): number {
  const value = memberAt(state, path, name);
  if (typeof value === 'number' && value >= 0) return value;
  throw stateInvalid(path, name);
}

function flagAt(state: VerifiedState, path: string, name: string): boolean {
  const value = memberAt(state, path, name);
  if (typeof value === 'boolean') return value;
  throw stateInvalid(path, name);
}

function stateInvalid(path: string, name: string): WeftError {
  return new WeftError(
    'STATUS_STATE_INVALID',
    `State at ${path} has no ${name} that this verifier can read: do not act.`,
    {
      path,
    },
  );
}
