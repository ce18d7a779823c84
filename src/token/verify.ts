import { WeftError } from '../codec/error.ts';
import { toHex } from '../codec/hex.ts';
import type { Json } from '../codec/json.ts';
import type { Verify } from '../log/checkpoint.ts';
import { createTreeHasher, type Hash } from '../log/hasher.ts';
import { verifyInclusion } from '../log/proofs.ts';
import { parseToken } from './form.ts';
import { checkGrant, type Grant, parseGrant } from './grant.ts';
import { invalid, type JsonObject, type PacketGroup, parseLeaf, parsePackets } from './leaf.ts';
import { checkNumbers, defaultMaxClockSkewMs } from './numbers.ts';
import { type NoteFault, type Quorum, verifyQuorum } from './quorum.ts';
import type { Trust } from './trust.ts';

/** What to hold a token against. What is left out is not checked, and the answer's `unchecked` says so. */
export type TokenChecks = {
  /** Milliseconds UTC: now. */
  readonly now?: number;
  /** How far this clock may be off; counts against the token. Default 2,000. */
  readonly maxClockSkewMs?: number;
  /** Newest finalized height known (grants). */
  readonly height?: number;
  /** Account that is about to act: the token must be a grant to it. */
  readonly audience?: string;
  /** SHA-256 (64 hex digits) of the resolved effect, recomputed from what is about to be done. */
  readonly effect?: string;
  /** Instance to which a packet is about to be carried: the token must be a packet group for it. */
  readonly target?: string;
  /** Transaction_Hash_ID (64 hex digits) of that packet. */
  readonly packet?: string;
};

export type VerifyTokenOptions = TokenChecks & {
  readonly trust: Trust;
  /** SHA-256. */
  readonly hash: Hash;
  /** Ed25519 by ZIP 215. */
  readonly verify: Verify;
};

export type VerifiedCheckpoint = Quorum & {
  readonly origin: string;
  readonly size: number;
  /** 64 hex digits. */
  readonly root: string;
};

type Evidence = {
  /** The leaf's exact bytes. */
  readonly leaf: Uint8Array;
  /** The same as JSON. */
  readonly record: JsonObject;
  readonly index: number;
  readonly checkpoint: VerifiedCheckpoint;
  /** Which of `now`, `audience`, `effect`, `target`, `packet` matter for this kind and were not given. */
  readonly unchecked: readonly string[];
};

/**
 * What the ledger recorded. A `grant` authorises one act, `packets` carrying these packets, a `record` proves that it
 * happened (a refused packet group is one) and authorises nothing by itself.
 */
export type VerifiedToken = Evidence &
  (
    | { readonly kind: 'grant'; readonly grant: Grant }
    | { readonly kind: 'packets'; readonly packets: PacketGroup }
    | { readonly kind: 'record'; readonly type: string }
  );

/**
 * Decides offline whether `token` holds under `trust` and what it authorises. Throws a WeftError and nothing else:
 * TOKEN_TOO_LARGE, TOKEN_MALFORMED (form), TOKEN_ORIGIN (another log), TOKEN_SIGNATURES (not one log line and exactly q
 * cosigner lines of the policy in its order), TOKEN_SIGNATURE_INVALID, TOKEN_PROOF_INVALID, TOKEN_LEAF_INVALID,
 * TOKEN_KIND (the checks are for another kind), TOKEN_DENIED, TOKEN_AUDIENCE, TOKEN_EFFECT, TOKEN_TARGET, TOKEN_PACKET,
 * TOKEN_NOT_YET_VALID, TOKEN_EXPIRED; TOKEN_CHECKS_INVALID for options that are no numbers. Freshness and single use are not decided here: they need a status and a consume.
 */
export function verifyToken(token: string | Uint8Array, options: VerifyTokenOptions): VerifiedToken {
  const { trust, hash, verify } = options;
  const { now, maxClockSkewMs, height } = options;
  checkNumbers({ now: now ?? 0, maxClockSkewMs: maxClockSkewMs ?? 0, height: height ?? 0 }, 'TOKEN_CHECKS_INVALID');
  const { leaf, index, hashes, note, checkpoint } = parseToken(token);
  if (checkpoint.origin !== trust.origin) {
    throw new WeftError('TOKEN_ORIGIN', `The token is of the log ${checkpoint.origin}, trust is in ${trust.origin}.`);
  }
  const { time, cosigners } = verifyQuorum(note, trust, verify, refusedNote);
  const hasher = createTreeHasher(hash);
  const { size, root } = checkpoint;
  if (!verifyInclusion(hasher, { index, size, leafHash: hasher.leafHash(leaf), hashes, root })) {
    throw new WeftError('TOKEN_PROOF_INVALID', `The leaf is not at index ${index} of the log of ${size} leaves.`, {
      index,
      size,
    });
  }
  const record = parseLeaf(leaf);
  const evidence = {
    leaf,
    record,
    index,
    checkpoint: { origin: trust.origin, size, root: toHex(root), time, cosigners },
  };
  return authorised(evidence, record, options);
}

function authorised(evidence: Omit<Evidence, 'unchecked'>, record: JsonObject, checks: TokenChecks): VerifiedToken {
  const maxClockSkewMs = checks.maxClockSkewMs ?? defaultMaxClockSkewMs;
  if ('_type' in record) {
    refuseChecks(checks, ['target', 'packet'], 'a grant');
    const grant = parseGrant(record);
    const { now, height, audience, effect } = checks;
    checkGrant(grant, { now, height, audience, effect, maxClockSkewMs });
    return { ...evidence, kind: 'grant', grant, unchecked: absent(checks, ['now', 'audience', 'effect']) };
  }
  const type = typeName(record['type']);
  const packets = type === 'packets.committed' ? parsePackets(record) : undefined;
  if (packets !== undefined) {
    refuseChecks(checks, ['audience', 'effect'], 'a packet group');
    checkPackets(packets, checks, maxClockSkewMs);
    return { ...evidence, kind: 'packets', packets, unchecked: absent(checks, ['now', 'target', 'packet']) };
  }
  if (type === 'packets.committed' && (checks.target !== undefined || checks.packet !== undefined)) {
    throw new WeftError('TOKEN_DENIED', 'The ledger refused this packet group: do not carry it.');
  }
  refuseChecks(checks, ['audience', 'effect', 'target', 'packet'], `a ${type} record`);
  return { ...evidence, kind: 'record', type, unchecked: [] };
}

/** Throws TOKEN_TARGET, TOKEN_PACKET, TOKEN_EXPIRED. */
function checkPackets(packets: PacketGroup, { now, target, packet }: TokenChecks, maxClockSkewMs: number): void {
  if (target !== undefined && target !== packets.receiver) {
    throw new WeftError('TOKEN_TARGET', `The packets go to ${packets.receiver}, not to ${target}.`);
  }
  if (packet !== undefined && !packets.ids.includes(packet)) {
    throw new WeftError('TOKEN_PACKET', 'The packet is not in the group that was allowed: commit it.');
  }
  if (now !== undefined && now + maxClockSkewMs >= packets.expires) {
    throw new WeftError(
      'TOKEN_EXPIRED',
      'The packet group has expired (clock skew counted against it): commit it again.',
    );
  }
}

/** A check that this kind of token cannot answer must not pass as answered. */
function refuseChecks(checks: TokenChecks, names: readonly (keyof TokenChecks)[], what: string): void {
  for (const name of names) {
    if (checks[name] !== undefined) {
      throw new WeftError(
        'TOKEN_KIND',
        `The token is ${what}, which says nothing about ${name}: it is the wrong token.`,
      );
    }
  }
}

function absent(checks: TokenChecks, names: readonly (keyof TokenChecks)[]): string[] {
  return names.filter((name) => checks[name] === undefined);
}

function typeName(value: Json | undefined): string {
  if (typeof value !== 'string' || value === '') throw invalid('its type is not a name');
  return value;
}

function refusedNote(fault: NoteFault, why: string): WeftError {
  return fault === 'SIGNATURES'
    ? new WeftError(
        'TOKEN_SIGNATURES',
        `The checkpoint is not signed as a token's is: ${why}. Fetch a fresh proof under the present validators.`,
      )
    : new WeftError('TOKEN_SIGNATURE_INVALID', `The token was changed or forged: ${why}.`);
}
