import { fromBase64Url } from '../codec/base64.ts';
import { WeftError } from '../codec/error.ts';
import type { Verify } from '../log/checkpoint.ts';
import type { Hash } from '../log/hasher.ts';
import type { Grant } from './grant.ts';
import { count, text } from './leaf.ts';
import { checkNumbers, defaultMaxClockSkewMs } from './numbers.ts';
import type { Trust } from './trust.ts';
import { type VerifiedCheckpoint, verifyToken } from './verify.ts';

/** Bytes of an attempt: random, and persisted before `intents.consume` is sent. */
export const attemptBytes = 16;

export type ConsumedChecks = {
  /** The grant that was verified in the first step; what is needed of it may have been kept. */
  readonly grant: Pick<Grant, 'intent' | 'audience' | 'actWithinMs'>;
  /** base64url of the 16 bytes that this executor persisted: somebody else's consume is not mine. */
  readonly attempt: string;
  /** Milliseconds UTC: now. */
  readonly now: number;
  /** How far this clock may be off; counts against the permission. Default 2,000. */
  readonly maxClockSkewMs?: number;
};

export type VerifyConsumedOptions = ConsumedChecks & {
  readonly trust: Trust;
  /** SHA-256. */
  readonly hash: Hash;
  /** Ed25519 by ZIP 215. */
  readonly verify: Verify;
};

/** Permission to begin the act, now and until `until`. */
export type VerifiedConsumed = {
  readonly height: number;
  /** Milliseconds UTC: the block's. */
  readonly time: number;
  /** txId of `intents.consume`. */
  readonly tx: string;
  /** Which use of the grant this is, counted from 1. */
  readonly use: number;
  /** Milliseconds UTC of this clock: the act begins before. */
  readonly until: number;
  readonly index: number;
  readonly checkpoint: VerifiedCheckpoint;
};

/**
 * The executor's third step (5-policy-and-tokens): `token` is that of the `intents.consumed` record of *this* grant with *my* attempt, and
 * its window is open: record.time + actWithinMs on this clock, the skew subtracted. An RPC answer alone is never permission.
 * Throws a WeftError and nothing else: those of `verifyToken`, TOKEN_CHECKS_INVALID, TOKEN_KIND (another record), CONSUMED_OTHER_GRANT,
 * CONSUMED_OTHER_ATTEMPT, CONSUMED_OTHER_ACCOUNT, CONSUMED_TOO_LATE, CONSUMED_CLOCK (this clock is behind the record).
 */
export function verifyConsumed(token: string | Uint8Array, options: VerifyConsumedOptions): VerifiedConsumed {
  const { trust, hash, verify, grant, attempt, now, maxClockSkewMs = defaultMaxClockSkewMs } = options;
  checkNumbers({ now, maxClockSkewMs }, 'TOKEN_CHECKS_INVALID');
  checkAttempt(attempt);
  const verified = verifyToken(token, { trust, hash, verify });
  if (verified.kind !== 'record' || verified.type !== 'intents.consumed') {
    throw new WeftError('TOKEN_KIND', 'The token is not that of an intents.consumed record: it permits nothing.');
  }
  const { record, index, checkpoint } = verified;
  const time = count(record['time'], 'time');
  if (text(record['grant'], 'grant') !== grant.intent) {
    throw new WeftError('CONSUMED_OTHER_GRANT', 'The record is of another grant: do not act.');
  }
  if (text(record['account'], 'account') !== grant.audience) {
    throw new WeftError('CONSUMED_OTHER_ACCOUNT', `The record is not by ${grant.audience}: do not act.`);
  }
  if (text(record['attempt'], 'attempt') !== attempt) {
    throw new WeftError(
      'CONSUMED_OTHER_ATTEMPT',
      'The grant was consumed with another attempt: whoever made that one may act, this executor may not.',
    );
  }
  const until = time + grant.actWithinMs - maxClockSkewMs;
  if (now >= until) {
    throw new WeftError('CONSUMED_TOO_LATE', 'The time to act has passed: report the outcome as unknown or failed.', {
      until,
    });
  }
  if (now + maxClockSkewMs < time) {
    throw new WeftError(
      'CONSUMED_CLOCK',
      'The record is ahead of this clock, so no window can be kept: set the clock right.',
      {
        time,
      },
    );
  }
  return {
    height: count(record['height'], 'height'),
    time,
    tx: text(record['tx'], 'tx', /^[0-9a-f]{64}$/),
    use: count(record['use'], 'use'),
    until,
    index,
    checkpoint,
  };
}

/** An empty or foreign attempt must match nothing. */
function checkAttempt(attempt: string): void {
  try {
    fromBase64Url(attempt, attemptBytes);
  } catch {
    throw new WeftError('TOKEN_CHECKS_INVALID', `The option attempt is not base64url of ${attemptBytes} bytes.`);
  }
}
