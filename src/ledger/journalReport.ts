import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { BlockFacts, Certificate, JournalRecord, Vote } from '../../consensus/types.ts';
import { fromHex } from '../codec/hex.ts';
import { decodeBody } from './body.ts';
import { blockIdOfBytes, decodeHeader } from './header.ts';
import { decodeSegment, framesIn, payloadBytesMax } from './journalFrame.ts';
import { decodeJournalEntry, type JournalEntry } from './journalRecords.ts';

/** A journal as it lies on the disk, read without touching it: for `weft journal dump` and `weft recover`, also of a damaged one. */
export type JournalReport = {
  /** As `ChainJournal.open` would find it. `foreign`: not of this chain, or no journal at all. */
  readonly state: 'absent' | 'complete' | 'damaged' | 'foreign';
  /** File name; '' when absent. */
  readonly file: string;
  /** Without room that was made ready for more. */
  readonly bytes: number;
  /** Where the last frame ends that hangs together with those before it. */
  readonly end: number;
  /** Epoch of the floor; 0 without one. */
  readonly epoch: number;
  /** Of the newest floor. */
  readonly floorHeight: number;
  readonly floorView: number;
  readonly records: readonly JournalLine[];
};

export type JournalLine = {
  /** Offset in the file. */
  readonly at: number;
  readonly sequence: number;
  /** Last sequence that was known to be on the disk when this was written. */
  readonly durable: number;
  /** Part of the unbroken chain from the head; what stands behind a break may be read and proves nothing. */
  readonly chained: boolean;
  /** Undefined for what no reader of this version knows. */
  readonly entry: JournalEntry | undefined;
};

const bytesMax = 1024 * 1024 * 1024;
const bodyLimits = { maxBlockBytes: payloadBytesMax, maxBlockTxs: 65_536 };

/** @throws as the file system does, when the folder is there and cannot be read */
export async function readJournal(folder: string, genesisHash: string): Promise<JournalReport> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [] as string[];
    throw error;
  });
  const file = names
    .filter((name) => /^journal-[0-9]{10}$/.test(name))
    .sort()
    .at(-1);
  const nothing = { file: '', bytes: 0, end: 0, epoch: 0, floorHeight: 0, floorView: 0, records: [] };
  if (file === undefined) return { state: 'absent', ...nothing };
  const path = join(folder, file);
  const { size } = await stat(path);
  if (size > bytesMax) return { state: 'foreign', ...nothing, file, bytes: size };
  const bytes = new Uint8Array(await readFile(path));
  const segment = decodeSegment(bytes, fromHex(genesisHash, 32));
  const records = [...framesIn(bytes)].map(
    ({ at, sequence, durable, payload, end }): JournalLine => ({
      at,
      sequence,
      durable,
      chained: segment !== undefined && end <= segment.end,
      entry: entryOf(payload),
    }),
  );
  const first = records[0]?.chained === true ? records[0].entry : undefined;
  const floor = first?.kind === 'record' && first.record.kind === 'floor' ? first.record.floor : undefined;
  const chained = records.filter((each) => each.chained);
  // It rises within a journal.
  const floors = chained.flatMap(({ entry }) =>
    entry?.kind === 'record' && entry.record.kind === 'floor' ? entry.record.floor : [],
  );
  const readable = floor !== undefined && chained.every(({ entry }) => entry !== undefined);
  const state = segment === undefined ? 'foreign' : segment.damaged || !readable ? 'damaged' : 'complete';
  return {
    state,
    file,
    bytes: segment === undefined ? size : segment.end + segment.rest,
    end: segment?.end ?? 0,
    epoch: first?.kind === 'record' ? (first.epoch ?? 0) : 0,
    floorHeight: floors.at(-1)?.block.height ?? 0,
    floorView: floors.at(-1)?.view ?? 0,
    records,
  };
}

function entryOf(payload: Uint8Array): JournalEntry | undefined {
  try {
    return decodeJournalEntry(payload);
  } catch {
    return undefined;
  }
}

/** A record as plain values, ids in hex, without signatures. */
export function journalLineJson({ at, sequence, durable, chained, entry }: JournalLine): Record<string, unknown> {
  return { sequence, at, durable, chained, ...(entry === undefined ? { kind: 'unreadable' } : entryJson(entry)) };
}

function entryJson(entry: JournalEntry): Record<string, unknown> {
  if (entry.kind === 'record') return recordJson(entry.record, entry.epoch);
  const bytes = entry.header.length + entry.body.length;
  try {
    const { height, epoch, view } = decodeHeader(entry.header);
    const block = blockIdOfBytes(entry.header);
    return {
      kind: 'block',
      block,
      height,
      epoch,
      view,
      transactions: decodeBody(entry.body, bodyLimits).length,
      bytes,
    };
  } catch {
    return { kind: 'block', bytes };
  }
}

function recordJson(record: JournalRecord, epoch: number | undefined): Record<string, unknown> {
  switch (record.kind) {
    case 'floor': {
      const { view, block, certificate } = record.floor;
      return {
        kind: 'floor',
        epoch: epoch ?? 0,
        view,
        ...blockJson(block),
        ...(certificate === undefined ? {} : { finalizedBy: certificate.signers }),
      };
    }
    case 'vote':
      return voteJson(record.vote);
    case 'notarized':
      return { ...voteJson(record.vote), ...blockJson(record.block) };
    case 'certificate':
      return certificateJson(record.certificate);
    case 'certification':
      return { kind: 'certification', view: record.view, valid: record.valid, ...blockJson(record.block) };
  }
}

function blockJson({ id, height }: BlockFacts): Record<string, unknown> {
  return { block: id, height };
}

function voteJson({ kind, subject, signer }: Vote): Record<string, unknown> {
  const { epoch, view } = subject;
  return {
    kind: 'vote',
    vote: kind,
    epoch,
    view,
    signer,
    ...('blockId' in subject ? { parentView: subject.parentView, block: subject.blockId } : {}),
  };
}

function certificateJson({ kind, subject, signers }: Certificate): Record<string, unknown> {
  const { epoch, view } = subject;
  return {
    kind: 'certificate',
    of: kind,
    epoch,
    view,
    signers,
    ...('blockId' in subject ? { block: subject.blockId } : {}),
  };
}
