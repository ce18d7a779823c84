import { WeftError } from '../codec/error.ts';
import { bundleBytesMax, decodeBundle } from '../log/bundles.ts';
import { formatBundlePath, tileWidth } from '../log/tiles.ts';
import type { LogSource } from './logSource.ts';

/** Bundles asked for ahead of the one that is looked at. */
const ahead = 8;

/**
 * The first `size` entries of a log, bundle by bundle (256 entries, the last one fewer), in order.
 * @throws WeftError LOG_BUNDLE_MISSING, LOG_BUNDLE_INVALID, and those of the source
 */
export async function* readEntries(source: LogSource, size: number): AsyncGenerator<Uint8Array[]> {
  const bundles = Math.ceil(size / tileWidth);
  const widthOf = (n: number): number => Math.min(tileWidth, size - n * tileWidth);
  const asked = new Map<number, Promise<Uint8Array | undefined>>();
  for (let n = 0; n < bundles; n++) {
    for (let next = n; next < Math.min(n + ahead, bundles); next++) {
      if (asked.has(next)) continue;
      const reading = readBundle(source, next, widthOf(next));
      // Looked at in its turn; a failure of one that is ahead must not count as unhandled meanwhile.
      reading.catch(() => {});
      asked.set(next, reading);
    }
    const bundle = await asked.get(n);
    asked.delete(n);
    if (bundle === undefined) {
      throw new WeftError(
        'LOG_BUNDLE_MISSING',
        `${formatBundlePath(n, widthOf(n))} is absent: entries from ${n * tileWidth} on cannot be read`,
        { bundle: n },
      );
    }
    yield entriesOf(bundle, widthOf(n));
  }
}

/** The partial bundle that the size names, or the beginning of the full one that has come since. */
async function readBundle(source: LogSource, n: number, width: number): Promise<Uint8Array | undefined> {
  const own = await source.read(formatBundlePath(n, width), bundleBytesMax);
  return own ?? (width < tileWidth ? source.read(formatBundlePath(n, tileWidth), bundleBytesMax) : undefined);
}

function entriesOf(bundle: Uint8Array, width: number): Uint8Array[] {
  try {
    return decodeBundle(bundle, width);
  } catch (error) {
    if (width === tileWidth) throw error;
    return decodeBundle(bundle, tileWidth).slice(0, width);
  }
}
