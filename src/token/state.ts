import { WeftError } from '../codec/error.ts';
import { fromHex, toHex } from '../codec/hex.ts';
import type { Json } from '../codec/json.ts';
import { encodeUtf8, equalBytes } from '../codec/utf8.ts';
import type { Verify } from '../log/checkpoint.ts';
import { createTreeHasher, type Hash } from '../log/hasher.ts';
import { verifyInclusion } from '../log/proofs.ts';
import { verifyStateProof } from '../log/stateProof.ts';
import { stateKey } from '../log/stateTree.ts';
import { count, type JsonObject, parseLeaf, text } from './leaf.ts';
import { checkNumbers } from './numbers.ts';
import { type NoteFault, verifyQuorum } from './quorum.ts';
import { parseStatus } from './statusForm.ts';
import type { Trust } from './trust.ts';
import type { VerifiedCheckpoint } from './verify.ts';

/** Default age at which a checkpoint is no longer fresh. At least three times `recosignMs` (2 s) makes sense. */
const defaultMaxStalenessMs = 10_000;
/** How far a checkpoint may be ahead of this clock: nodes drop cosignatures that are further ahead. */
const futureMsMax = 2_000;

export type StateChecks = {
  /** Milliseconds UTC: now. Without it nothing could be told from yesterday's state. */
  readonly now: number;
  /** How old the checkpoint may be. Default 10,000. */
  readonly maxStalenessMs?: number;
};

export type VerifyStateOptions = StateChecks & {
  readonly trust: Trust;
  /** SHA-256. */
  readonly hash: Hash;
  /** Ed25519 by ZIP 215. */
  readonly verify: Verify;
};

/** What ledger state says at a fresh checkpoint. */
export type VerifiedState = {
  readonly checkpoint: VerifiedCheckpoint;
  /** `now` minus the checkpoint's time, in milliseconds; below 0 when it is ahead of this clock. */
  readonly ageMs: number;
  /** The newest block that the checkpoint covers: the state is that after it. */
  readonly block: {
    readonly height: number;
    readonly time: number;
    readonly epoch: number;
    readonly stateRoot: string;
  };
  /** By path; undefined where the document proves nothing, null where it proves that there is nothing. */
  readonly values: ReadonlyMap<string, Json>;
};

/**
 * Decides offline what a status (or any state proof: `weft prove`) proves. The block record must be the newest leaf of a *fresh*
 * checkpoint, or it would prove yesterday's state. Throws a WeftError and nothing else: STATUS_CHECKS_INVALID (options that are no
 * numbers), STATUS_TOO_LARGE, STATUS_MALFORMED, STATUS_ORIGIN (another log), STATUS_SIGNATURES, STATUS_SIGNATURE_INVALID, STATUS_STALE,
 * STATUS_FUTURE, STATUS_NOT_NEWEST (the leaf is not the checkpoint's last), STATUS_BLOCK_INVALID, STATUS_PROOF_INVALID.
 */
export function verifyState(status: string | Uint8Array, options: VerifyStateOptions): VerifiedState {
  const { trust, hash, verify, now, maxStalenessMs = defaultMaxStalenessMs } = options;
  checkNumbers({ now, maxStalenessMs });
  const { note, checkpoint, leaf, index, hashes, entries } = parseStatus(status);
  const { origin, size, root } = checkpoint;
  if (origin !== trust.origin) {
    throw new WeftError('STATUS_ORIGIN', `The status is of the log ${origin}, trust is in ${trust.origin}.`);
  }
  const quorum = verifyQuorum(note, trust, verify, refusedNote);
  const ageMs = now - quorum.time;
  if (ageMs > maxStalenessMs) {
    throw new WeftError(
      'STATUS_STALE',
      `The checkpoint is ${ageMs} ms old, at most ${maxStalenessMs} count: ask again.`,
      {
        ageMs,
        maxStalenessMs,
      },
    );
  }
  if (ageMs < -futureMsMax) {
    throw new WeftError('STATUS_FUTURE', `The checkpoint is ${-ageMs} ms ahead of this clock: set the clock right.`, {
      ageMs,
    });
  }
  if (index !== size - 1) {
    throw new WeftError(
      'STATUS_NOT_NEWEST',
      `Its block record stands at index ${index}, the newest of the log of ${size} leaves at ${size - 1}: this would be an older state.`,
      { index, size },
    );
  }
  const hasher = createTreeHasher(hash);
  if (!verifyInclusion(hasher, { index, size, leafHash: hasher.leafHash(leaf), hashes, root })) {
    throw proofInvalid(`its block record is not leaf ${index} of the log`);
  }
  const block = readBlock(leaf);
  const stateRoot = fromHex(block.stateRoot, 32);
  const values = new Map<string, Json>();
  for (const { path, value, proof } of entries) {
    let found: Uint8Array | undefined;
    try {
      found = verifyStateProof(hash, stateRoot, stateKey(hash, path), proof);
    } catch (error) {
      if (!(error instanceof WeftError)) throw error;
      throw proofInvalid(`${path}: ${error.message}`, path);
    }
    // The document has one spelling, so a value's text is its bytes as they stand in it: canonical, or the hash is another.
    const holds =
      value === null
        ? found === undefined
        : found !== undefined && equalBytes(found, hash(encodeUtf8(JSON.stringify(value))));
    if (!holds) throw proofInvalid(`the value at ${path} is not the one in state`, path);
    values.set(path, value);
  }
  const { time, cosigners } = quorum;
  return { checkpoint: { origin, size, root: toHex(root), time, cosigners }, ageMs, block, values };
}

function readBlock(leaf: Uint8Array): VerifiedState['block'] {
  try {
    const record: JsonObject = parseLeaf(leaf);
    if (record['type'] !== 'block') throw new WeftError('STATUS_BLOCK_INVALID', 'it is of another type');
    return {
      height: count(record['height'], 'height'),
      time: count(record['time'], 'time'),
      epoch: count(record['epoch'], 'epoch'),
      stateRoot: text(record['stateRoot'], 'stateRoot', /^[0-9a-f]{64}$/),
    };
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    throw new WeftError(
      'STATUS_BLOCK_INVALID',
      `The newest leaf is no block record: ${error.details['why'] ?? error.message}.`,
    );
  }
}

function refusedNote(fault: NoteFault, why: string): WeftError {
  return fault === 'SIGNATURES'
    ? new WeftError(
        'STATUS_SIGNATURES',
        `The checkpoint is not signed as a status's is: ${why}. Bring the trust file up to date: weft trust update.`,
      )
    : new WeftError('STATUS_SIGNATURE_INVALID', `The status was changed or forged: ${why}.`);
}

function proofInvalid(why: string, path?: string): WeftError {
  return new WeftError('STATUS_PROOF_INVALID', `The status proves nothing: ${why}`, path === undefined ? {} : { path });
}
