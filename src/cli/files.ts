import { readFileSync } from 'node:fs';
import { WeftError } from '../codec/error.ts';
import { readTrust, type Trust } from '../token/node.ts';
import { usage } from './output.ts';

/** What commands that verify read from the disk, or from standard input as "-". */

const trustBytesMax = 1024 * 1024;

/** @throws WeftError FILE_UNREADABLE, FILE_TOO_LARGE */
export function readBounded(file: string, bytesMax: number): Uint8Array {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file === '-' ? 0 : file);
  } catch (error) {
    throw new WeftError('FILE_UNREADABLE', `cannot read ${file}: ${error instanceof Error ? error.message : error}`);
  }
  if (bytes.length > bytesMax)
    throw new WeftError('FILE_TOO_LARGE', `${file} has ${bytes.length} bytes; at most ${bytesMax} make sense`);
  return new Uint8Array(bytes);
}

/** @throws WeftError FILE_UNREADABLE, FILE_TOO_LARGE, TRUST_INVALID */
export function readTrustFile(file: string): Trust {
  return readTrust(Buffer.from(readBounded(file, trustBytesMax)).toString('utf8'));
}

/** A number of an option. @throws WeftError USAGE */
export function whole(name: string, text: string): number {
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  throw usage(`--${name} takes a whole number`);
}
