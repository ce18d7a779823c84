import { WeftError } from '../codec/error.ts';

/** What the ledger's refusals mean to who sent the command, and what to do. */
const hints: Readonly<Record<string, string>> = {
  ACCOUNT_GOVERNED:
    'that account sits in the council or speaks for a validator (or a proposal would have it so): only it can change its keys, roles and status; where its key is lost, the council puts another account in its place (weft governance propose)',
  ACCOUNT_TAKEN: 'that account speaks for another validator already; each has one of its own',
  ACCOUNT_UNKNOWN: 'an account that is named does not exist; the council registers it with identity.register',
  AGENDA_FULL: '16 proposals wait, or too many of this account; approve or withdraw some (weft governance list)',
  APPROVED_ALREADY: 'this account has approved it already; other members must',
  COUNCIL_THRESHOLD: '--threshold is above the number of members',
  COUNCIL_UNABLE: 'fewer than --threshold of these members are active and hold a key that signs',
  GOVERNANCE_NOT_READY:
    'not enough of the next validators are ready; weft governance show says who is missing, and --wait waits for them',
  GOVERNANCE_TOO_LARGE: 'the record of such a set does not fit into a log entry; fewer validators, or shorter URLs',
  KEY_RETIRED:
    'that vote key was retired and never votes on this chain again; make a new one (weft init, weft keys next)',
  KEY_USED: 'a key of the record has served another name or role on this chain; make new ones (weft init)',
  LOG_KEY_ID: 'two log keys have one key id; make a new one',
  MIN_VALID: '--min-valid lies between the one in force and the new version; what was made void stays void',
  NOTHING_TO_DO: 'everything is so already',
  NOT_COUNCIL: 'this account is no member of the council; weft governance list says who is',
  NOT_PROPOSER: 'only who made it takes it back, or a member of the council where that one is none and cannot',
  PARAMETERS_INVALID:
    'the parameters do not go together: leader < certification timeout, leader timeout < idleBlockMs, 3 × idleBlockMs ≤ skipMs, retryMs < skipMs',
  POLICY_DENIED:
    'policy lets the council propose and approve, and a validator the replacement of its own entry; this account is neither',
  PROPOSAL_CLOSED: 'it is off the agenda; weft governance show says why',
  PROPOSAL_EXPIRED: 'it has waited too long; propose it anew',
  PROPOSAL_EXPIRES: '--expires-in takes at most 720h',
  RULESET_NOT_ABOVE: 'the network goes forward only: name a ruleset above the one in force',
  POLICY_SECOND_SET:
    'a block checks one policy set of an account, and another one of yours was in it; propose it again',
  SET_SIZE: 'a network has 1 to 128 validators and at most 256 observers',
  TEXTS_FULL: 'this account has uploaded as much as it may within an hour; wait, or let another member upload the rest',
  TEXT_TOO_LARGE: 'a policy or schema has at most 16 KiB; split the policy, or shorten its comments',
  TEXT_UNKNOWN: 'a text of the set is not on the ledger any more: uploads last an hour; propose it again',
};

/** The same error with words for people, where there are any. */
export function explained(error: unknown): unknown {
  return explainedBy(hints, error);
}

export function explainedBy(words: Readonly<Record<string, string>>, error: unknown): unknown {
  if (!(error instanceof WeftError)) return error;
  const hint = Object.hasOwn(words, error.code) ? words[error.code] : undefined;
  return hint === undefined ? error : new WeftError(error.code, hint, error.details);
}
