import { fromBase64, toBase64 } from '../codec/base64.ts';
import { WeftError } from '../codec/error.ts';
import { encodeUtf8 } from '../codec/utf8.ts';
import { hashBytes } from './hasher.ts';
import type { NoteSignature } from './note.ts';
import { algLog, isKeyName, type Vkey } from './vkey.ts';

export type Sign = (message: Uint8Array) => Uint8Array;
/** Total: a signature or key of a wrong length is `false`. */
export type Verify = (message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array) => boolean;

export type Checkpoint = {
  /** The log's name: `<chain id>/weft`. */
  readonly origin: string;
  /** Number of leaves, 1 to 2^53−1. */
  readonly size: number;
  /** RFC 6962 root, 32 bytes. */
  readonly root: Uint8Array;
};

/** The three lines that are signed, with the last newline. Throws CHECKPOINT_INVALID. */
export function formatCheckpoint({ origin, size, root }: Checkpoint): string {
  if (!isKeyName(origin)) throw invalid('the origin is not usable as a key name');
  if (!Number.isSafeInteger(size) || size < 1) throw invalid('the size is not between 1 and 2^53-1');
  if (root.length !== hashBytes) throw invalid('the root is not 32 bytes');
  return `${origin}\n${size}\n${toBase64(root)}\n`;
}

/**
 * Reads note text as a checkpoint. With `extensions: 'allow'` (other people's logs, C2SP) lines after the third are
 * passed over; ours have none. Throws CHECKPOINT_INVALID.
 */
export function parseCheckpoint(text: string, extensions: 'allow' | 'refuse' = 'refuse'): Checkpoint {
  const lines = text.split('\n', 64);
  const [origin = '', size = '', root = '', ...rest] = lines;
  if (rest.length === 0 || rest.at(-1) !== '') throw invalid('it has fewer than three lines, or more than 63');
  if (rest.length > 1 && (extensions === 'refuse' || rest.slice(0, -1).includes(''))) {
    throw invalid('it has extension lines');
  }
  if (origin === '') throw invalid('the origin is empty');
  let rootBytes: Uint8Array;
  try {
    rootBytes = fromBase64(root, hashBytes);
  } catch {
    throw invalid('the root is not 32 bytes of standard padded base64');
  }
  return { origin, size: parseDecimal(size) ?? sizeRefused(), root: rootBytes };
}

function sizeRefused(): never {
  throw invalid('the size is not a plain decimal number up to 2^53-1');
}

/** A decimal number up to 2^53−1 without leading zeros or sign, or undefined. */
export function parseDecimal(text: string): number | undefined {
  if (text.length > 16 || !/^(?:0|[1-9][0-9]*)$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** The log's own line (type 0x01): says that this log key's holder published it, and nothing about finality. */
export function signCheckpoint(text: string, key: Vkey, sign: Sign): NoteSignature {
  return { name: key.name, keyId: key.keyId, blob: sign(encodeUtf8(text)) };
}

/** Whether `signature` is by `key` (a log key) over `text`. */
export function verifyLogSignature(text: string, signature: NoteSignature, key: Vkey, verify: Verify): boolean {
  if (key.alg !== algLog || signature.name !== key.name || signature.keyId !== key.keyId) return false;
  return signature.blob.length === 64 && verify(encodeUtf8(text), signature.blob, key.publicKey);
}

function invalid(why: string): WeftError {
  return new WeftError('CHECKPOINT_INVALID', `Not a checkpoint: ${why}.`);
}
