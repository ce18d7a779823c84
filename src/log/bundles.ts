import { WeftError } from '../codec/error.ts';
import { tileWidth } from './tiles.ts';

/** An entry's length is a uint16 in a bundle (C2SP tlog-tiles), hence the largest leaf. */
export const entryBytesMax = 65_535;
/** 256 entries of the largest size, each with its length. */
export const bundleBytesMax = tileWidth * (2 + entryBytesMax);

/** uint16 BE length ‖ entry, for 1-256 entries. Throws LOG_ENTRY_TOO_LARGE, LOG_BUNDLE_INVALID. */
export function encodeBundle(entries: readonly Uint8Array[]): Uint8Array {
  if (entries.length < 1 || entries.length > tileWidth) {
    throw new WeftError('LOG_BUNDLE_INVALID', `A bundle holds 1 to 256 entries, not ${entries.length}.`);
  }
  const bytes = new Uint8Array(entries.reduce((sum, entry) => sum + 2 + checkEntry(entry).length, 0));
  let at = 0;
  for (const entry of entries) {
    bytes[at] = entry.length >> 8;
    bytes[at + 1] = entry.length & 0xff;
    bytes.set(entry, at + 2);
    at += 2 + entry.length;
  }
  return bytes;
}

/** Refuses a leaf that no bundle could carry. Throws LOG_ENTRY_TOO_LARGE. */
export function checkEntry(entry: Uint8Array): Uint8Array {
  if (entry.length > entryBytesMax) {
    throw new WeftError('LOG_ENTRY_TOO_LARGE', `A log entry has at most 65,535 bytes; this one has ${entry.length}.`);
  }
  return entry;
}

/** Exactly `width` entries and not a byte more. Views into `bytes`. Throws LOG_BUNDLE_INVALID. */
export function decodeBundle(bytes: Uint8Array, width: number): Uint8Array[] {
  if (!Number.isInteger(width) || width < 1 || width > tileWidth) {
    throw new WeftError('LOG_BUNDLE_INVALID', `A bundle holds 1 to 256 entries, not ${width}.`);
  }
  const entries: Uint8Array[] = [];
  let at = 0;
  while (entries.length < width) {
    const high = bytes[at];
    const low = bytes[at + 1];
    const end = at + 2 + (high ?? 0) * 256 + (low ?? 0);
    if (high === undefined || low === undefined || end > bytes.length) {
      throw new WeftError('LOG_BUNDLE_INVALID', `The bundle ends inside entry ${entries.length} of ${width}.`);
    }
    entries.push(bytes.subarray(at + 2, end));
    at = end;
  }
  if (at !== bytes.length) {
    throw new WeftError('LOG_BUNDLE_INVALID', `${bytes.length - at} bytes follow the last of ${width} entries.`);
  }
  return entries;
}
