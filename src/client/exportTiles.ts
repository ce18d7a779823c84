import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { WeftError } from '../codec/error.ts';
import { decodeUtf8 } from '../codec/utf8.ts';
import { bundleBytesMax } from '../log/bundles.ts';
import { parseCheckpoint } from '../log/checkpoint.ts';
import { hashBytes } from '../log/hasher.ts';
import { noteLimits, parseNote } from '../log/note.ts';
import { formatBundlePath, formatTilePath, tilesOfSize, tileWidth } from '../log/tiles.ts';
import type { LogSource } from './logSource.ts';

export type ExportedTiles = { readonly origin: string; readonly size: number; readonly files: number };

/**
 * Writes a log as C2SP tlog-tiles lays it out, for any static server: tiles and bundles first, the checkpoint that covers
 * them last, each file complete or not at all. Nothing is verified: `verifyLog` does that, here or there.
 * @throws WeftError CHECKPOINT_NOT_YET, LOG_TILE_MISSING, and those of the source and the formats
 */
export async function exportTiles(
  source: LogSource,
  dir: string,
  onProgress: (files: number, total: number) => void = () => {},
): Promise<ExportedTiles> {
  const checkpoint = await source.read('checkpoint', noteLimits.lengthMax);
  if (checkpoint === undefined)
    throw new WeftError('CHECKPOINT_NOT_YET', 'the log has no cosigned checkpoint yet; try again in a few seconds');
  const { origin, size } = parseCheckpoint(parseNote(decodeUtf8(checkpoint)).text);
  const paths: { readonly path: string; readonly bytesMax: number }[] = [];
  for (const tile of tilesOfSize(size)) paths.push({ path: formatTilePath(tile), bytesMax: tileWidth * hashBytes });
  for (let n = 0; n * tileWidth < size; n++) {
    paths.push({ path: formatBundlePath(n, Math.min(tileWidth, size - n * tileWidth)), bytesMax: bundleBytesMax });
  }
  let done = 0;
  for (const { path, bytesMax } of paths) {
    const bytes = await source.read(path, bytesMax);
    if (bytes === undefined) {
      throw new WeftError(
        'LOG_TILE_MISSING',
        `${path} is absent: a node that pruned its log, or began from a snapshot, lacks old ones; export from one that keeps all`,
        { tile: path },
      );
    }
    await put(join(dir, path), bytes);
    onProgress(++done, paths.length);
  }
  await put(join(dir, 'checkpoint'), checkpoint);
  return { origin, size, files: paths.length + 1 };
}

async function put(file: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.tmp`, bytes);
  await rename(`${file}.tmp`, file);
}
