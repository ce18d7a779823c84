import { WeftError } from '../codec/error.ts';
import { decodeUtf8, encodeUtf8 } from '../codec/utf8.ts';

/** `unknown`: begun, and nobody can say how far it came. */
export type OutcomeName = 'done' | 'failed' | 'unknown';

/**
 * How far one use of one grant has come. It only moves down this list:
 *
 *     prepared   the attempt is on the disk; its consume may or may not be on the ledger; nothing was done
 *     begun      permission was there, and from here on the act may have happened
 *     ended      its outcome is known (`unknown` is one), and is to be reported until the ledger has it
 *     closed     nothing is left to do; remembered until its grant has been over for a while
 */
export type AttemptState = 'prepared' | 'begun' | 'ended' | 'closed';

export type SentConsume = {
  /** txId. */
  readonly id: string;
  /** Milliseconds UTC after which no block takes it. */
  readonly expires: number;
};

/** All that is remembered about one use of one grant: one record of the journal, the last one of an attempt counts. */
export type Attempt = {
  /** base64url of 16 random bytes: what tells this executor's consume from anybody else's. */
  readonly attempt: string;
  /** The intent's id. */
  readonly grant: string;
  readonly action: string;
  /** SHA-256 of the effect. */
  readonly effect: string;
  readonly maxUses: number;
  readonly actWithinMs: number;
  /** Milliseconds UTC: of the grant. */
  readonly expires: number;
  /** Counted here and not on the ledger: an idempotent action marked `reusable`. */
  readonly local: boolean;
  readonly state: AttemptState;
  /** Every consume that was ever signed for it, oldest first. */
  readonly sent: readonly SentConsume[];
  /** The newest of them, while it may have to be sent again; '' afterwards. */
  readonly envelope: string;
  readonly outcome: OutcomeName | '';
  /** SHA-256 (64 hex digits) of what the act gave back; '' before it ended. */
  readonly result: string;
  /** Why it is closed: REPORTED, LOCAL, DROPPED, or the code with which the ledger refused. */
  readonly closed: string;
};

/** One attempt is about 1.5 KiB; an envelope with a WebAuthn entry at its largest is below 8. */
const attemptBytesMax = 64 * 1024;
/** Consumes that may be signed for one attempt: each only after the one before has expired. */
export const sentMax = 8;

export function isOpen({ state }: Attempt): boolean {
  return state !== 'closed';
}

export function encodeAttempt(attempt: Attempt): Uint8Array {
  return encodeUtf8(JSON.stringify(attempt));
}

const hex32 = /^[0-9a-f]{64}$/;
const states: readonly string[] = ['prepared', 'begun', 'ended', 'closed'];
const outcomes: readonly string[] = ['', 'done', 'failed', 'unknown'];

/** What this build did not write, it does not work on. @throws WeftError EXECUTOR_STATE_DAMAGED */
export function decodeAttempt(bytes: Uint8Array): Attempt {
  try {
    if (bytes.length > attemptBytesMax) throw new Error('too long');
    const read = JSON.parse(decodeUtf8(bytes)) as Attempt;
    const good =
      /^[A-Za-z0-9_-]{22}$/.test(read.attempt) &&
      hex32.test(read.grant) &&
      hex32.test(read.effect) &&
      typeof read.action === 'string' &&
      [read.maxUses, read.actWithinMs, read.expires].every(isCount) &&
      typeof read.local === 'boolean' &&
      states.includes(read.state) &&
      Array.isArray(read.sent) &&
      read.sent.length <= sentMax &&
      read.sent.every((each) => hex32.test(each.id) && isCount(each.expires)) &&
      typeof read.envelope === 'string' &&
      outcomes.includes(read.outcome) &&
      (read.result === '' || hex32.test(read.result)) &&
      typeof read.closed === 'string' &&
      (read.state !== 'ended' || (read.outcome !== '' && read.result !== ''));
    if (!good) throw new Error('form');
    return read;
  } catch {
    throw new WeftError('EXECUTOR_STATE_DAMAGED', 'a record of the attempts is none that this version wrote');
  }
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
