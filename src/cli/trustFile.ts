import { readTrust, type Trust } from '../token/node.ts';
import { readBounded } from './files.ts';

const trustBytesMax = 1024 * 1024;

/** @throws WeftError FILE_UNREADABLE, FILE_TOO_LARGE, TRUST_INVALID */
export function readTrustFile(file: string): Trust {
  return readTrust(Buffer.from(readBounded(file, trustBytesMax)).toString('utf8'));
}
