import { WeftError } from '../codec/error.ts';
import { toHex } from '../codec/hex.ts';
import { verifyConsensus } from '../crypto/ed25519.ts';
import { sha256 } from '../crypto/hash.ts';
import type { Genesis } from '../ledger/genesis.ts';
import type { Epoch } from '../ledger/validatorSet.ts';
import { parseCheckpoint, verifyLogSignature } from '../log/checkpoint.ts';
import { checkpointTime, verifyCosignature } from '../log/cosignature.ts';
import { type Note, parseNote } from '../log/note.ts';
import { algCosigner, algLog, createVkey } from '../log/vkey.ts';

/** The end of a replayed block: what a checkpoint of its size must say, and who must have signed it. */
export type Boundary = {
  readonly root: string;
  readonly epoch: Epoch;
  /** Of the blocks after it: of a closing block both sets cosign the end, each under its own keys. */
  readonly next: Epoch;
};

export type CheckedCheckpoint = {
  readonly size: number;
  /** Names of the validators whose cosignatures hold. */
  readonly cosigners: readonly string[];
  /** Milliseconds UTC. */
  readonly time: number;
};

/**
 * The archive's checkpoint: of this log, of a block's size, with the root that the replay found, one validator's log signature
 * and q cosignatures of the block's epoch.
 * @throws WeftError NOTE_INVALID, CHECKPOINT_INVALID, CHECKPOINT_ORIGIN, CHECKPOINT_SIZE, CHECKPOINT_ROOT, CHECKPOINT_UNSIGNED
 */
export function checkCheckpoint(
  text: string,
  genesis: Genesis,
  boundaries: ReadonlyMap<number, Boundary>,
): CheckedCheckpoint {
  const note = parseNote(text);
  const { origin, size, root } = parseCheckpoint(note.text);
  if (origin !== genesis.origin)
    throw new WeftError('CHECKPOINT_ORIGIN', `The checkpoint is of ${origin}, the archive of ${genesis.origin}.`);
  const boundary = boundaries.get(size);
  if (boundary === undefined)
    throw new WeftError('CHECKPOINT_SIZE', `No block of the archive ends at log size ${size}.`);
  if (toHex(root) !== boundary.root)
    throw new WeftError('CHECKPOINT_ROOT', `The checkpoint of size ${size} names another root than the replay found.`);
  const { epoch, next } = boundary;
  try {
    return { size, ...signersOf(note, genesis, epoch) };
  } catch (error) {
    if (next === epoch) throw error;
    return { size, ...signersOf(note, genesis, next) };
  }
}

function signersOf(
  note: Note,
  { chain, origin }: Genesis,
  { validators, quorum }: Epoch,
): Omit<CheckedCheckpoint, 'size'> {
  const logged = note.signatures.some((signature) =>
    validators.some(({ log }) =>
      verifyLogSignature(note.text, signature, createVkey(sha256, origin, algLog, log), verifyConsensus),
    ),
  );
  if (!logged) throw new WeftError('CHECKPOINT_UNSIGNED', 'No validator has signed the checkpoint with its log key.');
  const times = new Map<string, number>();
  for (const { name, cosigner } of validators) {
    const key = createVkey(sha256, `${chain}/${name}`, algCosigner, cosigner);
    for (const signature of note.signatures) {
      const timeS = verifyCosignature(note.text, signature, key, verifyConsensus);
      if (timeS !== undefined) times.set(name, Math.max(timeS, times.get(name) ?? 0));
    }
  }
  if (times.size < quorum) {
    throw new WeftError(
      'CHECKPOINT_UNSIGNED',
      `${times.size} validators have cosigned the checkpoint; ${quorum} are needed.`,
    );
  }
  return { cosigners: [...times.keys()], time: checkpointTime([...times.values()], validators.length) };
}
