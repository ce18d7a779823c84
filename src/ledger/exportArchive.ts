import { createWriteStream } from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { WeftError } from '../codec/error.ts';
import { parseCheckpoint } from '../log/checkpoint.ts';
import { parseNote } from '../log/note.ts';
import { archiveBytes } from './archive.ts';
import { closingCheckpoint } from './closingNote.ts';
import type { Ledger } from './ledger.ts';

export type ExportOptions = {
  /** The newest published checkpoint, a signed note. Left out of the file when it is of no block's size. */
  readonly checkpoint?: string;
  readonly onProgress?: (height: number, of: number) => void;
};

export type Exported = {
  readonly chain: string;
  readonly height: number;
  readonly blocks: number;
  readonly logSize: number;
  readonly bytes: number;
  /** Whether the checkpoint went along. */
  readonly checkpoint: boolean;
};

/** How many blocks a checkpoint in an archive may be behind its last block; what an audit remembers. */
export const checkpointBlocksMax = 65_536;

/**
 * Writes the finalized chain into one archive file, which appears under its name only when it is whole and on the disk.
 * @throws WeftError ARCHIVE_EMPTY (no block yet), ARCHIVE_PRUNED (the first ones are not here)
 */
export async function exportArchive(ledger: Ledger, path: string, options: ExportOptions = {}): Promise<Exported> {
  const { header } = ledger.finalized;
  if (ledger.floor.height > 1) {
    throw new WeftError(
      'ARCHIVE_PRUNED',
      `This node holds blocks from height ${ledger.floor.height} on (it pruned, or began from a snapshot); an archive begins at 1. Export from a node that keeps all blocks.`,
      { fromHeight: ledger.floor.height },
    );
  }
  const note = options.checkpoint;
  const checkpoint =
    note !== undefined && isBlockSize(ledger, parseCheckpoint(parseNote(note).text).size) ? note : undefined;
  const pieces = archiveBytes(
    {
      genesis: ledger.genesis.bytes,
      // A live ledger grows while it is written: the file ends where it was when the export began, or a run later.
      run: (from, bytesMax) => (from > header.height ? undefined : ledger.exportRun(from, bytesMax)),
      transactions: (height) => ledger.block(height)?.transactions ?? 0,
      closing: (epoch) => closingCheckpoint(ledger, epoch),
      ...(checkpoint === undefined ? {} : { checkpoint }),
    },
    { onProgress: (height) => options.onProgress?.(height, header.height) },
  );
  const draft = `${path}.${process.pid}.tmp`;
  let bytes = 0;
  try {
    const counted = function* (): Generator<Uint8Array> {
      for (const piece of pieces) {
        bytes += piece.length;
        yield piece;
      }
    };
    await pipeline(
      Readable.from(counted(), { objectMode: false }),
      createWriteStream(draft, { flags: 'wx', mode: 0o644 }),
    );
    const file = await open(draft, 'r');
    await file.sync().finally(() => file.close());
    await rename(draft, path);
  } catch (error) {
    await unlink(draft).catch(() => undefined);
    throw error;
  }
  return {
    chain: ledger.genesis.chain,
    height: header.height,
    blocks: header.height,
    logSize: header.logSize,
    bytes,
    checkpoint: checkpoint !== undefined,
  };
}

/**
 * Every checkpoint stands at the end of a block; another size could not be checked by whoever reads the archive. Nor could one
 * that is far behind the end: a reader remembers the ends of so many blocks.
 */
function isBlockSize(ledger: Ledger, size: number): boolean {
  const height = ledger.entry(size - 1)?.height;
  if (height === undefined || height + checkpointBlocksMax <= ledger.finalized.header.height) return false;
  return ledger.block(height)?.header.logSize === size;
}
