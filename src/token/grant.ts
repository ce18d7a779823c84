import { WeftError } from '../codec/error.ts';
import { count, flag, invalid, type JsonObject, list, members, text } from './leaf.ts';

export const statementType = 'https://in-toto.io/Statement/v1';
export const grantPredicateType = 'urn:weft:grant:v1';

/** Member names of a grant's predicate, in the order in which they stand in the leaf. */
const grantMembers = [
  'intent',
  'height',
  'time',
  'tx',
  'decision',
  'policy',
  'action',
  'resource',
  'limits',
  'requester',
  'audience',
  'approvers',
  'nonce',
  'maxUses',
  'reusable',
  'actWithinMs',
  'notBefore',
  'expires',
] as const;

/** Height of the chain and milliseconds UTC: a bound is reached when either is. */
export type Moment = { readonly height: number; readonly time: number };

/** Permission for one act, as the ledger recorded it: an in-toto Statement v1 with predicate `urn:weft:grant:v1`. */
export type Grant = {
  /** SHA-256 (64 hex digits) of the resolved effect's document. */
  readonly effect: string;
  /** txId of `intents.propose`: the one name of the grant for consume, report, cancel and single use. */
  readonly intent: string;
  readonly height: number;
  /** Milliseconds UTC: the block's. */
  readonly time: number;
  /** txId of the transaction that made it a grant: the proposal or the last approval. */
  readonly tx: string;
  readonly policy: { readonly version: number; readonly sha256: string; readonly reasons: readonly string[] };
  /** Entry of the action catalogue. */
  readonly action: string;
  readonly resource: string;
  readonly limits: { readonly dryRun: boolean; readonly maxTargets: number };
  readonly requester: string;
  /** The one executor instance that may act. */
  readonly audience: string;
  readonly approvers: readonly string[];
  /** The proposing transaction's. */
  readonly nonce: string;
  readonly maxUses: number;
  readonly reusable: boolean;
  readonly actWithinMs: number;
  readonly notBefore: Moment;
  readonly expires: Moment;
};

/** What the holder of a grant compares it with. What is absent is not compared: see `unchecked` of a verified token. */
export type GrantChecks = {
  /** Milliseconds UTC of the executor's clock. */
  readonly now?: number | undefined;
  /** How far that clock may be from the chain's; at worst it counts against the grant. */
  readonly maxClockSkewMs: number;
  /** Newest finalized height that the executor knows. */
  readonly height?: number | undefined;
  readonly audience?: string | undefined;
  /** SHA-256 (64 hex digits) recomputed from what is about to be done. */
  readonly effect?: string | undefined;
};

const hex32 = /^[0-9a-f]{64}$/;
const account = /^[a-z0-9._-]{1,63}$/;

/** Reads a `_type` leaf as a grant: exactly the members of the format, in its order. Throws TOKEN_LEAF_INVALID. */
export function parseGrant(record: JsonObject): Grant {
  const statement = members(record, ['_type', 'subject', 'predicateType', 'predicate'], 'the statement');
  if (statement['_type'] !== statementType) throw invalid(`its _type is not ${statementType}`);
  if (statement['predicateType'] !== grantPredicateType)
    throw invalid(`its predicateType is not ${grantPredicateType}`);
  const subjects = statement['subject'];
  if (!Array.isArray(subjects) || subjects.length !== 1) throw invalid('it should have one subject');
  const subject = members(subjects[0], ['name', 'digest'], 'the subject');
  if (subject['name'] !== 'effect') throw invalid('its subject is not named effect');
  const digest = members(subject['digest'], ['sha256'], 'the digest');
  const predicate = members(statement['predicate'], grantMembers, 'the predicate');
  if (predicate['decision'] !== 'allow') throw invalid('its decision is not allow');
  const policy = members(predicate['policy'], ['version', 'sha256', 'reasons'], 'policy');
  const limits = members(predicate['limits'], ['dryRun', 'maxTargets'], 'limits');
  return {
    effect: text(digest['sha256'], 'the digest', hex32),
    intent: text(predicate['intent'], 'intent', hex32),
    height: count(predicate['height'], 'height'),
    time: count(predicate['time'], 'time'),
    tx: text(predicate['tx'], 'tx', hex32),
    policy: {
      version: count(policy['version'], 'policy.version'),
      sha256: text(policy['sha256'], 'policy.sha256', hex32),
      reasons: list(policy['reasons'], 8, 'policy.reasons'),
    },
    action: text(predicate['action'], 'action'),
    resource: text(predicate['resource'], 'resource'),
    limits: { dryRun: flag(limits['dryRun'], 'dryRun'), maxTargets: count(limits['maxTargets'], 'maxTargets') },
    requester: text(predicate['requester'], 'requester', account),
    audience: text(predicate['audience'], 'audience', account),
    approvers: list(predicate['approvers'], 5, 'approvers'),
    nonce: text(predicate['nonce'], 'nonce', /^[A-Za-z0-9_-]{11}$/),
    maxUses: count(predicate['maxUses'], 'maxUses'),
    reusable: flag(predicate['reusable'], 'reusable'),
    actWithinMs: count(predicate['actWithinMs'], 'actWithinMs'),
    notBefore: moment(predicate['notBefore'], 'notBefore'),
    expires: moment(predicate['expires'], 'expires'),
  };
}

/**
 * The executor's first step (5-policy-and-tokens): audience is itself, the effect is what it is about to do, the grant
 * is in force. Throws TOKEN_AUDIENCE, TOKEN_EFFECT, TOKEN_NOT_YET_VALID, TOKEN_EXPIRED.
 */
export function checkGrant(grant: Grant, checks: GrantChecks): void {
  const { now, height, audience, effect, maxClockSkewMs } = checks;
  if (audience !== undefined && audience !== grant.audience) {
    throw new WeftError('TOKEN_AUDIENCE', `The grant is for ${grant.audience}, not for ${audience}: do not act.`);
  }
  if (effect !== undefined && effect !== grant.effect) {
    throw new WeftError('TOKEN_EFFECT', 'What is about to be done is not what was granted: propose it as an intent.');
  }
  if (
    (now !== undefined && now + maxClockSkewMs >= grant.expires.time) ||
    (height !== undefined && height >= grant.expires.height)
  ) {
    throw new WeftError('TOKEN_EXPIRED', 'The grant has expired (clock skew counted against it): propose it again.');
  }
  if (
    (now !== undefined && now + maxClockSkewMs < grant.notBefore.time) ||
    (height !== undefined && height < grant.notBefore.height)
  ) {
    throw new WeftError('TOKEN_NOT_YET_VALID', 'The grant is not in force yet: wait, or set the clock right.');
  }
}

function moment(value: JsonObject[string] | undefined, what: string): Moment {
  const { height, time } = members(value, ['height', 'time'], what);
  return { height: count(height, `${what}.height`), time: count(time, `${what}.time`) };
}
