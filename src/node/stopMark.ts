import { join } from 'node:path';
import { WeftError } from '../codec/error.ts';
import { decodeUtf8, encodeUtf8 } from '../codec/utf8.ts';
import { type Files, nodeFiles } from '../ledger/files.ts';
import { readWholeFile, writeWholeFile } from '../ledger/wholeFile.ts';

/**
 * Why a node stopped for good, kept in its data folder: what its own state contradicts is not healed by a restart (W4). Such a node
 * starts, answers questions about what it holds, and does nothing else until `weft recover` has looked at it.
 *
 *     {"format":"weft/stopped/v1","code":"STATE_DIVERGED","detail":"…","height":12,"time":1763712000000}
 */
export type StopMark = {
  readonly code: string;
  readonly detail: string;
  /** Of the last finalized block here. */
  readonly height: number;
  /** Milliseconds UTC. */
  readonly time: number;
};

/** What a person has to look at. Whatever else stops a node may pass, or shows again at the next start. */
const lasting: ReadonlySet<string> = new Set([
  'STATE_DIVERGED',
  'FINALITY_CONFLICT',
  'CERTIFICATES_CONFLICT',
  'DATA_DAMAGED',
]);
const bytesMax = 64 * 1024;
const detailMax = 4096;

export function stopMarkPath(data: string): string {
  return join(data, 'stopped.json');
}

export function isLasting(code: string): boolean {
  return lasting.has(code);
}

export async function writeStopMark(data: string, mark: StopMark, files: Files = nodeFiles): Promise<void> {
  const { code, detail, height, time } = mark;
  const value = { format: 'weft/stopped/v1', code, detail: detail.slice(0, detailMax), height, time };
  await writeWholeFile(files, stopMarkPath(data), encodeUtf8(`${JSON.stringify(value)}\n`));
}

/** Undefined when there is none. One that nobody can read still says that this node stopped: STATE_DIVERGED. */
export async function readStopMark(data: string, files: Files = nodeFiles): Promise<StopMark | undefined> {
  let bytes: Uint8Array | undefined;
  try {
    bytes = await readWholeFile(files, stopMarkPath(data));
  } catch (error) {
    throw new WeftError('DATA_UNREADABLE', `${stopMarkPath(data)} cannot be read: ${String(error)}`);
  }
  if (bytes === undefined) return undefined;
  const unreadable: StopMark = { code: 'STATE_DIVERGED', detail: 'the mark cannot be read', height: 0, time: 0 };
  if (bytes.length > bytesMax) return unreadable;
  try {
    const { code, detail, height, time } = JSON.parse(decodeUtf8(bytes)) as Record<string, unknown>;
    if (typeof code !== 'string' || !lasting.has(code) || typeof detail !== 'string') return unreadable;
    return { code, detail, height: Number(height), time: Number(time) };
  } catch {
    return unreadable;
  }
}
