// One-time enrolment: an administrator puts the digest of a secret on the ledger, a new machine or person shows the secret once.
// A machine is enrolled by one that is there already (the redeemer). A person has none: then the ticket makes its redeemer, an
// account without roles whose one-time key only the person can compute, and which ends with the redemption.
import type { IdentityRedeemBody } from '../../schemas/types/tx/identity.redeem.ts';
import type { IdentityTicketBody } from '../../schemas/types/tx/identity.ticket.ts';
import { fromBase64Url } from '../../src/codec/base64.ts';
import { concat, encodeUtf8 } from '../../src/codec/utf8.ts';
import { sha256Hex } from '../../src/crypto/hash.ts';
import { serviceUid } from '../authorisation.ts';
import { asJson, recordHead, refuse, rule } from '../contract.ts';
import { isActive, readAccount } from '../signatures.ts';
import type { BlockContext, Json, StateReader } from '../types.ts';
import { checkRoles, checkUnregistered, newAccount, putAccount, putKey } from './accounts.ts';
import { checkKeys, isProven, type NamedKey, signs } from './keys.ts';

export const TICKET_LIFETIME_MAX_MS = 30 * 24 * 3_600_000;

const TICKET_TAG = encodeUtf8('weft/ticket/v1');

type Ticket = {
  readonly digest: string;
  readonly account: string;
  readonly roles: readonly string[];
  readonly redeemer: string;
  readonly issuer: string;
  readonly expires: number;
  readonly status: 'open' | 'used';
  /** The ticket made its redeemer. */
  readonly once?: true;
};

function ticketPath(digest: string): string {
  return `identity/ticket/${digest}`;
}

/** `SHA-256("weft/ticket/v1" ‖ secret)` in hex; the secret is 32 random bytes. */
export function ticketDigest(secret: Uint8Array): string {
  return sha256Hex(concat(TICKET_TAG, secret));
}

function readTicket(state: StateReader, secret: string): Ticket | undefined {
  return state.get(ticketPath(ticketDigest(fromBase64Url(secret)))) as Ticket | undefined;
}

export const ticket = rule<IdentityTicketBody>('identity.ticket', {
  question: ({ account, roles }) => ({ resource: serviceUid('identity'), context: { account, roles } }),
  apply({ digest, account, roles, redeemer, key, expires }, context) {
    const { state, block, tx } = context;
    const wrongRoles = checkRoles(roles);
    if (wrongRoles !== undefined) return refuse(wrongRoles);
    if (readAccount(state, account) !== undefined) return refuse('ACCOUNT_EXISTS');
    const made = key === undefined ? undefined : redeemerWith(state, redeemer, key);
    if (typeof made === 'string') return refuse(made);
    if (made === undefined && readAccount(state, redeemer) === undefined) return refuse('ACCOUNT_UNKNOWN');
    if (redeemer === account) return refuse('TICKET_REDEEMER');
    if (expires <= block.time || expires - block.time > TICKET_LIFETIME_MAX_MS) return refuse('TICKET_EXPIRES');
    if (state.get(ticketPath(digest)) !== undefined) return refuse('TICKET_EXISTS');
    const changes = made === undefined ? new Map<string, Json | null>() : newAccount(redeemer, [], [made], block);
    const open: Json = { digest, account, roles, redeemer, issuer: tx.account, expires, status: 'open' };
    changes.set(ticketPath(digest), made === undefined ? open : { ...open, once: true });
    const record = {
      ...recordHead('identity.ticketed', context),
      by: tx.account,
      digest,
      account,
      roles,
      redeemer,
      ...(made === undefined ? {} : { key: asJson(made) }),
      expires,
    };
    return { records: [record], changes };
  },
});

/** The one-time key of a redeemer that is yet to be, or the code of what is wrong. */
function redeemerWith(state: StateReader, redeemer: string, publicKey: string): NamedKey | string {
  if (readAccount(state, redeemer) !== undefined) return 'ACCOUNT_EXISTS';
  const named = checkKeys([{ alg: 'ed25519', publicKey }]);
  if (typeof named === 'string') return named;
  return checkUnregistered(state, named) ?? named[0] ?? 'KEY_INVALID';
}

/** The one-time redeemer has done what it was for: none of its keys signs any more. One that was given roles since stays. */
function endRedeemer(
  state: StateReader,
  redeemer: string,
  changes: Map<string, Json | null>,
  block: BlockContext,
): void {
  const present = readAccount(state, redeemer);
  if (present === undefined || present.roles.length > 0) return;
  putAccount(changes, { ...present, status: 'suspended', keys: [] });
  for (const key of present.keys) putKey(changes, redeemer, key, 'revoked', block);
}

export const redeem = rule<IdentityRedeemBody>('identity.redeem', {
  question({ secret }, { state, tx }) {
    const open = readTicket(state, secret);
    if (open === undefined) return refuse('TICKET_UNKNOWN');
    // Nobody else: the secret is public from the moment at which the redemption is on its way.
    if (open.redeemer !== tx.account) return refuse('TICKET_REDEEMER');
    return { resource: serviceUid('identity'), context: { account: open.account, roles: open.roles } };
  },
  apply({ secret, keys }, context) {
    const { state, block, tx } = context;
    const open = readTicket(state, secret);
    if (open === undefined) return refuse('TICKET_UNKNOWN');
    if (open.redeemer !== tx.account) return refuse('TICKET_REDEEMER');
    if (open.status === 'used') return refuse('TICKET_USED');
    if (open.expires <= block.time) return refuse('TICKET_EXPIRED');
    if (!isActive(state, open.issuer)) return refuse('TICKET_ISSUER');
    const { account, roles, digest, issuer } = open;
    if (readAccount(state, account) !== undefined) return refuse('ACCOUNT_EXISTS');
    const named = checkKeys(keys);
    if (typeof named === 'string') return refuse(named);
    if (!named.some(signs)) return refuse('KEY_MISSING');
    const registered = checkUnregistered(state, named);
    if (registered !== undefined) return refuse(registered);
    if (!keys.every((key) => isProven(tx.chain, account, key))) return refuse('PROOF_INVALID');
    const changes = newAccount(account, roles, named, block);
    changes.set(ticketPath(digest), { ...open, status: 'used' });
    if (open.once === true) endRedeemer(state, open.redeemer, changes, block);
    const record = {
      ...recordHead('identity.redeemed', context),
      by: tx.account,
      digest,
      issuer,
      account,
      roles,
      keys: named.map(asJson),
    };
    return { records: [record], changes };
  },
});
