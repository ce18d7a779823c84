import { readFileSync } from 'node:fs';
import { WeftError } from '../codec/error.ts';
import { usage } from './output.ts';

/** What commands read from the disk, or from standard input as "-". */

/** @throws WeftError FILE_UNREADABLE */
export function readFile(file: string): Buffer {
  return bytesOf(file, file);
}

/** @throws WeftError FILE_UNREADABLE */
export function readInput(file: string): Buffer {
  return file === '-' ? bytesOf(0, 'standard input') : readFile(file);
}

function bytesOf(file: string | 0, name: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new WeftError('FILE_UNREADABLE', `cannot read ${name}: ${error instanceof Error ? error.message : error}`);
  }
}

/** @throws WeftError FILE_UNREADABLE, FILE_TOO_LARGE */
export function readBounded(file: string, bytesMax: number): Uint8Array {
  const bytes = readInput(file);
  if (bytes.length > bytesMax)
    throw new WeftError('FILE_TOO_LARGE', `${file} has ${bytes.length} bytes; at most ${bytesMax} make sense`);
  return new Uint8Array(bytes);
}

/** A number of an option. @throws WeftError USAGE */
export function whole(name: string, text: string): number {
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  throw usage(`--${name} takes a whole number`);
}
