import { WeftError } from '../codec/error.ts';
import { decodeUtf8 } from '../codec/utf8.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { parseCheckpoint } from '../log/checkpoint.ts';
import { parseNote } from '../log/note.ts';
import { statusPaths } from '../token/status.ts';
import { encodeStatus, statusPathsMax } from '../token/statusForm.ts';
import { encodeWalk, type WalkLeaf, type WalkStep, walkStepsMax } from '../token/walk.ts';
import { readPublished } from './checkpointFollower.ts';
import { checkStatePath, proofOf } from './queries.ts';

/** What a node proves about state and validators, for whoever holds a trust file. It proves under what is published, never more. */

export type PublishedNote = { readonly note: string | undefined; readonly size: number };
type StatusLedger = Pick<Ledger, 'stateProofsAt' | 'state' | 'entry' | 'logProof' | 'floor'>;

/**
 * `weft-status/v1` of some paths, at the newest published checkpoint.
 * @throws WeftError STATE_PATH_INVALID, STATE_PATHS, CHECKPOINT_NOT_YET, STATUS_TOO_LARGE
 */
export function stateProofOf(ledger: StatusLedger, paths: readonly string[], published: PublishedNote): string {
  for (const path of paths) checkStatePath(path);
  const wanted = [...new Set(paths)].sort();
  if (wanted.length < 1 || wanted.length > statusPathsMax) {
    throw new WeftError('STATE_PATHS', `Name 1 to ${statusPathsMax} state paths.`);
  }
  const { note, size } = published;
  const entries = note === undefined ? undefined : ledger.stateProofsAt(size, wanted);
  const leaf = ledger.entry(size - 1)?.leaf;
  if (note === undefined || entries === undefined || leaf === undefined)
    throw notYet('covers a state that is held here');
  return encodeStatus({
    checkpoint: note,
    leaf,
    index: size - 1,
    hashes: proofOf(ledger, size - 1, size),
    entries: entries.map(({ path, value, proof }) => ({ path, value: value ?? null, proof })),
  });
}

/**
 * The status of a grant: `statusPaths` of it.
 * @throws WeftError GRANT_UNKNOWN, and as `stateProofOf`
 */
export function grantStatusOf(ledger: StatusLedger, intent: string, published: PublishedNote): string {
  const path = `intents/grant/${intent}`;
  checkStatePath(path);
  const [entry] = ledger.stateProofsAt(published.size, [path]) ?? [];
  if (published.note === undefined || entry === undefined) throw notYet('covers a state that is held here');
  const grant = entry.value as { readonly requester?: unknown; readonly audience?: unknown } | undefined;
  if (typeof grant?.requester === 'string' && typeof grant.audience === 'string') {
    const { requester, audience } = grant;
    return stateProofOf(ledger, statusPaths({ intent, requester, audience }), published);
  }
  if (ledger.state.get(path) !== undefined) throw notYet(`covers the intent ${intent}`);
  throw new WeftError(
    'GRANT_UNKNOWN',
    `state holds no intent ${intent}: it was never proposed here, or it is over and was let go`,
  );
}

type WalkLedger = Pick<Ledger, 'genesis' | 'epoch' | 'entry' | 'logProof' | 'consistencyProof' | 'floor'>;

/**
 * `weft-walk/v1` from the validators of `epoch` to the present ones.
 * @throws WeftError EPOCH_UNKNOWN, WALK_TOO_LONG, CHECKPOINT_NOT_YET, ENTRY_PRUNED
 */
export function walkOf(
  ledger: WalkLedger,
  closing: { note(epoch: number): string | undefined },
  epoch: number,
  published: PublishedNote,
): string {
  const now = ledger.epoch.epoch;
  if (epoch < 1 || epoch > now) {
    throw new WeftError('EPOCH_UNKNOWN', `this chain is in epoch ${now} here: there is no epoch ${epoch}`);
  }
  if (now - epoch > walkStepsMax) {
    throw new WeftError('WALK_TOO_LONG', `epoch ${epoch} is ${now - epoch} changes back: get a fresh trust file`);
  }
  const { chain, origin } = ledger.genesis;
  const last = published.note;
  // After a restart, or in the first moments of an epoch, what is published may be by those who have left.
  const size =
    last === undefined ? undefined : sizeUnder(() => readPublished(last, { chain, origin }, ledger.epoch).size);
  if (last === undefined || size === undefined) throw notYet('is cosigned by the present validators');
  const ends = Array.from({ length: now - epoch }, (_, n) => closingOf(closing, epoch + n));
  // Validators that stay with their keys signed before the change, too: what is published may be older than the closing block.
  if (size < (ends.at(-1)?.size ?? 0)) throw notYet('covers the newest change of validators');
  const steps = ends.map(({ checkpoint, size: at }, n): WalkStep => {
    const record = epochRecordBefore(ledger, at);
    return {
      checkpoint,
      block: walkLeaf(ledger, at - 1, at),
      epoch: walkLeaf(ledger, record, at),
      consistency: held(ledger, () => ledger.consistencyProof(at, ends[n + 1]?.size ?? size)),
    };
  });
  return encodeWalk(steps, last);
}

function closingOf(
  closing: { note(epoch: number): string | undefined },
  epoch: number,
): { readonly checkpoint: string; readonly size: number } {
  const checkpoint = closing.note(epoch);
  if (checkpoint === undefined) {
    throw new WeftError(
      'CHECKPOINT_NOT_YET',
      `the closing checkpoint of epoch ${epoch} is not here yet; ask again in a few seconds, or another node`,
      { retryAfterMs: 1000 },
    );
  }
  const { size } = parseCheckpoint(parseNote(checkpoint).text);
  return { checkpoint, size };
}

const epochPrefix = '{"type":"epoch"';
/** Records of the end of a block: more than the changes of an agenda never stand between epoch and block record. */
const endRecordsMax = 512;

/** Index of the newest epoch record below this size: it stands in the closing block with which the log had that size. */
function epochRecordBefore(ledger: WalkLedger, size: number): number {
  for (let index = size - 2; index > 0 && index > size - 2 - endRecordsMax; index -= 1) {
    const leaf = ledger.entry(index)?.leaf;
    if (leaf !== undefined && decodeUtf8(leaf.subarray(0, epochPrefix.length)) === epochPrefix) return index;
  }
  throw pruned(ledger, 'the record of its next validators');
}

function walkLeaf(ledger: WalkLedger, index: number, size: number): WalkLeaf {
  const leaf = ledger.entry(index)?.leaf;
  if (leaf === undefined) throw pruned(ledger, `entry ${index}`);
  return { leaf, index, hashes: held(ledger, () => ledger.logProof(index, size)) };
}

/** What was before a snapshot has no hashes here: only the log's edge came with it. */
function held<T>(ledger: WalkLedger, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof WeftError && error.code === 'LOG_TILE_MISSING')
      throw pruned(ledger, 'the hashes of a closing block');
    throw error;
  }
}

function sizeUnder(read: () => number): number | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof WeftError) return undefined;
    throw error;
  }
}

function notYet(what: string): WeftError {
  return new WeftError('CHECKPOINT_NOT_YET', `no published checkpoint ${what} yet; ask again in a moment`, {
    retryAfterMs: 100,
  });
}

function pruned({ floor }: Pick<Ledger, 'floor'>, what: string): WeftError {
  return new WeftError('ENTRY_PRUNED', `this node does not hold ${what}; ask one that keeps all`, {
    fromEntry: floor.entry,
  });
}
