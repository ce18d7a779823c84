import { explainedBy } from './governanceRefusals.ts';

/** What the ledger's refusals mean to who sent the command, and what to do. */
const hints: Readonly<Record<string, string>> = {
  APPROVED_ALREADY: 'this account has approved it already; others must',
  APPROVER_INVOLVED: 'who asked for it, and who is to do it, cannot approve it; somebody else must',
  APPROVER_KEY:
    'policy wants a security key (WebAuthn) with PIN or fingerprint for this; approve it on the page for people',
  ATTEMPT_REPEATED:
    'this attempt has taken its use already; after a crash, see whether it was begun before it is tried again',
  ATTEMPT_UNKNOWN: 'no use was taken by this attempt; weft intent show says which were',
  AUDIENCE_INACTIVE: 'the executor of --audience is no account of this network, or suspended',
  BLAST_RADIUS:
    'with the grants of this action that are in force it would touch more than policy allows at once; wait, or cancel some',
  BLAST_RADIUS_EACH:
    'with the grants of this action that this account has in force it would touch more than policy allows one account; wait, or cancel some',
  GRANT_CANCELLED: 'it was cancelled; propose it again',
  GRANT_EXPIRED: 'it has expired; propose it again',
  GRANT_PENDING: 'it waits for approvals: weft intent show says how many',
  GRANT_TOO_LARGE:
    'its grant would not fit into 1,280 bytes; shorter names of service, host or accounts, or fewer policies that permit it',
  GRANT_UNKNOWN: 'state knows no such intent: it was never proposed here, or it has been over for 15 minutes',
  GRANT_USED_UP: 'all its uses are taken; propose it again',
  INTENTS_FULL: 'too much waits on this ledger; try again in some minutes',
  INTENTS_PAUSED: 'the council has paused all grants; weft governance list says since when',
  INTENTS_TOO_MANY: 'this account has 256 intents that are not over, or have been for less than 15 minutes; wait',
  INTENT_CLOSED: 'it waits for nothing any more; weft intent show says how it ended',
  INTENT_EXPIRED: 'it has expired; propose it again',
  INTENT_UNKNOWN: 'state knows no such intent: it was never proposed here, or it has been over for 15 minutes',
  NETWORK_NOT_CANONICAL: 'write networks as 10.0.3.0/24 (bits behind the prefix zero) or 2001:db8::/64 (RFC 5952)',
  NOT_AUDIENCE: 'the grant is for another executor',
  POLICY_DENIED: 'policy does not let this account do that; weft policy show prints the set',
  POLICY_SUPERSEDED: 'the policy set has changed, and grants of the old one do not count any more; propose it again',
  REPORTED_ALREADY: 'the ledger has the outcome of this attempt already; an outcome is reported once',
  REQUESTER_INACTIVE: 'the account that asked for it was suspended',
  RESTING_TOO_MANY: '256 targets rest because of this account; try again when some have rested',
  TARGET_COOLDOWN: 'this target rests after it was last acted upon, or granted; try again later',
};

export function explainedIntent(error: unknown): unknown {
  return explainedBy(hints, error);
}
