import { fromBase64, toBase64 } from '../codec/base64.ts';
import { WeftError } from '../codec/error.ts';
import { type Json, parseStrictJson, stringifyJson } from '../codec/json.ts';
import { encodeUtf8 } from '../codec/utf8.ts';
import type { Checkpoint, Verify } from '../log/checkpoint.ts';
import { quorumOf } from '../log/cosignature.ts';
import { createTreeHasher, type Hash, hashBytes, type TreeHasher } from '../log/hasher.ts';
import { proofHashesMax, verifyConsistency, verifyInclusion } from '../log/proofs.ts';
import { parseVkey } from '../log/vkey.ts';
import { leafTextMax, readSigned, type SignedCheckpoint } from './form.ts';
import { count, type JsonObject, list, members, object, parseLeaf, text } from './leaf.ts';
import { checkNumbers } from './numbers.ts';
import { type NoteFault, verifyQuorum } from './quorum.ts';
import { formatTrust, originOf, parseTrust, type Trust, trustPeriodMs } from './trust.ts';

/**
 * `weft-walk/v1`: how trust in one set of validators leads to trust in the present one (2-formats, "Cosigning"). JSON with one reading:
 * `{"format","steps":[{"checkpoint","block":{"leaf","index","proof"},"epoch":{"leaf","index","proof"},"consistency"},…],"checkpoint"}`.
 * A step is the closing checkpoint of an epoch, cosigned by its validators; the block record and the epoch record of that block; and the
 * consistency proof to the checkpoint of the next step. The last checkpoint is by those who validate now.
 */
const walkFormat = 'weft-walk/v1';
/** UTF-8 bytes of a walk. */
export const walkBytesMax = 4 * 1024 * 1024;
export const walkStepsMax = 64;
/** A walk may end this much before the file was last checked: nodes date files by their clock, and checkpoints are a little older. */
const slackMs = 60_000;
/** As for a status: nodes drop cosignatures that are further ahead. */
const futureMsMax = 2_000;

export type WalkLeaf = { readonly leaf: Uint8Array; readonly index: number; readonly hashes: readonly Uint8Array[] };
export type WalkStep = {
  readonly checkpoint: string;
  readonly block: WalkLeaf;
  readonly epoch: WalkLeaf;
  readonly consistency: readonly Uint8Array[];
};

export type WalkedTrust = {
  /** As of the last checkpoint. */
  readonly trust: Trust;
  /** The same as a trust file. */
  readonly file: string;
  /** Changes of validators that were walked over, oldest first. */
  readonly steps: readonly {
    readonly epoch: number;
    readonly height: number;
    readonly validators: readonly string[];
  }[];
  /** Milliseconds UTC of the last checkpoint. */
  readonly time: number;
};

/** Throws WALK_TOO_LONG, WALK_MALFORMED when no verifier would read it. */
export function encodeWalk(steps: readonly WalkStep[], checkpoint: string): string {
  const leafJson = ({ leaf, index, hashes }: WalkLeaf) => ({
    leaf: toBase64(leaf),
    index,
    proof: hashes.map(toBase64),
  });
  const document = {
    format: walkFormat,
    steps: steps.map((step) => ({
      checkpoint: step.checkpoint,
      block: leafJson(step.block),
      epoch: leafJson(step.epoch),
      consistency: step.consistency.map(toBase64),
    })),
    checkpoint,
  };
  const walk = recode(() => stringifyJson(document as unknown as Json));
  parseWalk(walk);
  return walk;
}

/**
 * Decides offline whether `walk` leads from `trust` to the present validators. Throws a WeftError and nothing else: TRUST_CHECKS_INVALID,
 * TRUST_EXPIRED (the file was not held against the chain for 30 days: its keys may have leaked), TRUST_EPOCH_UNKNOWN (the file does not say
 * of which epoch it is), WALK_TOO_LONG, WALK_MALFORMED, WALK_ORIGIN, WALK_SIGNATURES, WALK_SIGNATURE_INVALID, WALK_PROOF_INVALID,
 * WALK_STEP_INVALID (the leaves are not those of a closing block behind the trusted epoch), WALK_CONSISTENCY, WALK_OLD, WALK_FUTURE.
 */
export function walkTrust(
  walk: string | Uint8Array,
  options: { readonly trust: Trust; readonly now: number; readonly hash: Hash; readonly verify: Verify },
): WalkedTrust {
  const { trust: start, now, hash, verify } = options;
  walkableEpoch(start, now);
  const document = parseWalk(walk);
  const hasher = createTreeHasher(hash);
  let trust: Trust = start;
  const steps: WalkedTrust['steps'][number][] = [];
  for (const [n, step] of document.steps.entries()) {
    checkNote(step.signed, trust, verify);
    const next = readStep(hasher, hash, step, trust);
    steps.push({
      epoch: next.trust.epoch ?? 0,
      height: next.height,
      validators: next.trust.cosigners.map(({ name }) => name),
    });
    checkGrowth(hasher, step, (document.steps[n + 1] ?? document).signed.checkpoint);
    trust = next.trust;
  }
  const time = checkNote(document.signed, trust, verify);
  if (time < start.checkedAt - slackMs) {
    throw new WeftError('WALK_OLD', 'The walk ends before the trust file was last checked: ask another node.', {
      time,
    });
  }
  if (time > now + futureMsMax) {
    throw new WeftError('WALK_FUTURE', 'The walk ends ahead of this clock: set the clock right.', { time });
  }
  const walked = { ...trust, checkedAt: Math.max(start.checkedAt, time) };
  return { trust: walked, file: formatTrust(hash, walked), steps, time };
}

/**
 * The epoch from which a trust file leads on. Throws TRUST_CHECKS_INVALID, TRUST_EXPIRED, TRUST_EPOCH_UNKNOWN: then no walk helps, and a
 * fresh file is needed.
 */
export function walkableEpoch({ checkedAt, epoch }: Trust, now: number): number {
  checkNumbers({ now }, 'TRUST_CHECKS_INVALID');
  if (now - checkedAt > trustPeriodMs) {
    throw new WeftError(
      'TRUST_EXPIRED',
      'The trust file was not held against the chain for more than 30 days: keys in it may have leaked since. Get a fresh one from somebody whom you trust.',
    );
  }
  if (epoch === undefined) {
    throw new WeftError(
      'TRUST_EPOCH_UNKNOWN',
      'The trust file has no "# epoch" line, so nothing leads on from it: get a fresh one.',
    );
  }
  return epoch;
}

type ReadStep = { readonly signed: SignedCheckpoint } & Omit<WalkStep, 'checkpoint'>;

/** @returns milliseconds UTC */
function checkNote({ note, checkpoint }: SignedCheckpoint, trust: Trust, verify: Verify): number {
  if (checkpoint.origin !== trust.origin) {
    throw new WeftError('WALK_ORIGIN', `The walk is in the log ${checkpoint.origin}, trust is in ${trust.origin}.`);
  }
  return verifyQuorum(note, trust, verify, refusedNote).time;
}

/** The validators that the block named which this checkpoint ends with. */
function readStep(
  hasher: TreeHasher,
  hash: Hash,
  { signed, block, epoch }: ReadStep,
  trust: Trust,
): { readonly trust: Trust; readonly height: number } {
  const { size, root } = signed.checkpoint;
  if (block.index !== size - 1) throw invalidStep('its block record is not the newest leaf');
  for (const { leaf, index, hashes } of [block, epoch]) {
    if (!verifyInclusion(hasher, { index, size, leafHash: hasher.leafHash(leaf), hashes, root })) {
      throw new WeftError(
        'WALK_PROOF_INVALID',
        `A leaf of the walk is not at index ${index} of the log of ${size} leaves.`,
      );
    }
  }
  const read = (bytes: Uint8Array, type: string): JsonObject => {
    const record = parseLeaf(bytes);
    if (record['type'] !== type) throw invalidStep(`a leaf is no ${type} record`);
    return record;
  };
  try {
    const blockRecord = read(block.leaf, 'block');
    const epochRecord = read(epoch.leaf, 'epoch');
    const height = count(blockRecord['height'], 'height');
    const closed = count(blockRecord['epoch'], 'epoch');
    const next = count(epochRecord['epoch'], 'epoch');
    // Of this very block: a record of an earlier epoch lies in the same log, and its keys may have leaked.
    if (count(epochRecord['height'], 'height') !== height || next !== closed + 1)
      throw invalidStep('its epoch record is that of another block');
    if (closed < (trust.epoch ?? 0)) throw invalidStep('it leads back');
    return { trust: trustOf(hash, trust, epochRecord, next), height };
  } catch (error) {
    if (!(error instanceof WeftError) || error.code.startsWith('WALK_')) throw error;
    throw invalidStep(String(error.details['why'] ?? error.message));
  }
}

/** Complete keys stand in the record, so that the walk needs nothing else. */
function trustOf(hash: Hash, { chain, checkedAt }: Trust, record: JsonObject, epoch: number): Trust {
  const rows = record['validators'];
  if (!Array.isArray(rows)) throw invalidStep('it names no validators');
  const validators = rows.map((row: Json) => {
    const validator = object(row, 'a validator');
    return {
      name: text(validator['name'], 'name'),
      log: parseVkey(hash, text(validator['log'], 'log')),
      cosigner: parseVkey(hash, text(validator['cosigner'], 'cosigner')),
      url: text(validator['url'], 'url'),
    };
  });
  const trust: Trust = {
    chain,
    origin: originOf(chain),
    logs: validators.map(({ log }) => log),
    cosigners: validators.map(({ name, cosigner, url }) => ({ name, key: cosigner, url })),
    quorum: quorumOf(validators.length),
    checkedAt,
    epoch,
  };
  return parseTrust(hash, formatTrust(hash, trust));
}

function checkGrowth(hasher: TreeHasher, { signed, consistency }: ReadStep, next: Checkpoint): void {
  const { size: oldSize, root: oldRoot } = signed.checkpoint;
  const { size: newSize, root: newRoot } = next;
  if (!verifyConsistency(hasher, { oldSize, oldRoot, newSize, newRoot, hashes: consistency })) {
    throw new WeftError('WALK_CONSISTENCY', `The log of ${newSize} leaves does not begin with that of ${oldSize}.`);
  }
}

function parseWalk(walk: string | Uint8Array): {
  readonly steps: readonly ReadStep[];
  readonly signed: SignedCheckpoint;
} {
  if (walk.length > walkBytesMax) throw tooLong();
  return recode(() => {
    const bytes = typeof walk === 'string' ? encodeUtf8(walk) : walk;
    const document = members(
      parseStrictJson(bytes, { bytesMax: walkBytesMax }),
      ['format', 'steps', 'checkpoint'],
      'it',
    );
    if (document['format'] !== walkFormat) throw malformed(`its format is not ${walkFormat}`);
    const steps = document['steps'];
    if (!Array.isArray(steps)) throw malformed('it has no list of steps');
    if (steps.length > walkStepsMax) throw tooLong();
    return { steps: steps.map(stepOf), signed: readSigned(text(document['checkpoint'], 'a checkpoint')) };
  });
}

function stepOf(json: Json): ReadStep {
  const step = members(json, ['checkpoint', 'block', 'epoch', 'consistency'], 'a step');
  return {
    signed: readSigned(text(step['checkpoint'], 'a checkpoint')),
    block: leafOf(step['block']),
    epoch: leafOf(step['epoch']),
    consistency: hashesOf(step['consistency']),
  };
}

function leafOf(json: Json | undefined): WalkLeaf {
  const { leaf, index, proof } = members(json, ['leaf', 'index', 'proof'], 'a leaf');
  const encoded = text(leaf, 'a leaf');
  if (encoded.length > leafTextMax) throw malformed('a leaf is too large');
  return { leaf: fromBase64(encoded), index: count(index, 'index'), hashes: hashesOf(proof) };
}

/** A consistency proof has at most one hash more than an inclusion proof. */
function hashesOf(json: Json | undefined): Uint8Array[] {
  return list(json, proofHashesMax + 1, 'a proof').map((hash) => fromBase64(hash, hashBytes));
}

function recode<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof WeftError) || error.code.startsWith('WALK_')) throw error;
    const why = error.details['why'] ?? error.message;
    throw new WeftError('WALK_MALFORMED', `Not a walk: ${why}`, { ...error.details, cause: error.code });
  }
}

function refusedNote(fault: NoteFault, why: string): WeftError {
  return new WeftError(
    fault === 'SIGNATURES' ? 'WALK_SIGNATURES' : 'WALK_SIGNATURE_INVALID',
    `A checkpoint of the walk does not hold: ${why}. Trust stays where it is; ask another node.`,
  );
}

function invalidStep(why: string): WeftError {
  return new WeftError('WALK_STEP_INVALID', `A step of the walk leads nowhere: ${why}.`);
}

function malformed(why: string): WeftError {
  return new WeftError('WALK_MALFORMED', `Not a walk: ${why}. Fetch it again from a node.`);
}

function tooLong(): WeftError {
  return new WeftError('WALK_TOO_LONG', `The walk has more than ${walkStepsMax} steps or ${walkBytesMax} bytes.`);
}
