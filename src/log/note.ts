import { fromBase64, toBase64 } from '../codec/base64.ts';
import { WeftError } from '../codec/error.ts';
import { fromHex, toHex } from '../codec/hex.ts';
import { concat } from '../codec/utf8.ts';
import { isKeyName } from './vkey.ts';

/** One signature line of a note. `blob` is what follows the key id: its meaning is the key's signature type. */
export type NoteSignature = {
  readonly name: string;
  /** 8 lower-case hex digits. */
  readonly keyId: string;
  readonly blob: Uint8Array;
};

/** `text` ends in a newline, which is signed; the blank line after it is not. */
export type Note = { readonly text: string; readonly signatures: readonly NoteSignature[] };

export type NoteLimits = {
  /** UTF-16 units, compared before anything is looked at. */
  readonly lengthMax: number;
  readonly signaturesMax: number;
};

/** One log line and 128 cosigners; C2SP asks verifiers for at least 16. */
export const noteLimits: NoteLimits = { lengthMax: 64 * 1024, signaturesMax: 129 };

const keyIdBytes = 4;
/** The longest signature known to the specification: ML-DSA-44 with its timestamp, in base64. Ours have 92 to 104. */
const blobLengthMax = 4096;

/** `— <name> <base64(key id ‖ signature)>` and a newline. */
export function formatSignature({ name, keyId, blob }: NoteSignature): string {
  return `\u2014 ${name} ${toBase64(concat(fromHex(keyId, keyIdBytes), blob))}\n`;
}

/** C2SP signed-note. Throws NOTE_INVALID when `text` cannot be signed or there is no signature. */
export function formatNote({ text, signatures }: Note): string {
  checkText(text);
  if (signatures.length === 0) throw invalid('a note needs at least one signature');
  for (const { name } of signatures) if (!isKeyName(name)) throw invalid('a signature has no usable key name');
  return `${text}\n${signatures.map(formatSignature).join('')}`;
}

/**
 * Reads the form only: whose the signatures are, and whether they hold, is for the caller. Throws NOTE_TOO_LARGE,
 * NOTE_INVALID.
 */
export function parseNote(note: string, limits: NoteLimits = noteLimits): Note {
  if (note.length > limits.lengthMax) {
    throw new WeftError(
      'NOTE_TOO_LARGE',
      `A note may have ${limits.lengthMax} characters; this one has ${note.length}.`,
    );
  }
  const split = note.lastIndexOf('\n\n');
  if (split < 0) throw invalid('no blank line separates text and signatures');
  const text = note.slice(0, split + 1);
  checkText(text);
  const rest = note.slice(split + 2);
  if (!rest.endsWith('\n')) throw invalid('the last signature line does not end in a newline');
  const lines = rest.slice(0, -1).split('\n', limits.signaturesMax + 1);
  if (lines.length > limits.signaturesMax) {
    throw new WeftError(
      'NOTE_TOO_LARGE',
      `A note may have ${limits.signaturesMax} signature lines; this one has more.`,
    );
  }
  return { text, signatures: lines.map(parseSignature) };
}

/** One line without its newline. Throws NOTE_INVALID. */
function parseSignature(line: string): NoteSignature {
  const [dash, name, encoded, more] = line.split(' ', 4);
  if (dash !== '\u2014' || name === undefined || encoded === undefined || more !== undefined || !isKeyName(name)) {
    throw invalid('a signature line reads "\u2014 <key name> <base64>"');
  }
  if (encoded.length > blobLengthMax) throw invalid('a signature is longer than any known type');
  let bytes: Uint8Array;
  try {
    bytes = fromBase64(encoded);
  } catch {
    throw invalid('a signature is not standard padded base64');
  }
  if (bytes.length <= keyIdBytes) throw invalid('a signature holds a key id and nothing more');
  return { name, keyId: toHex(bytes.subarray(0, keyIdBytes)), blob: bytes.subarray(keyIdBytes) };
}

function checkText(text: string): void {
  if (!text.endsWith('\n')) throw invalid('the text does not end in a newline');
  if (!text.isWellFormed()) throw invalid('the text is not Unicode');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the specification forbids exactly these
  if (/[\u0000-\u0009\u000b-\u001f]/.test(text)) throw invalid('the text holds a control character');
}

function invalid(why: string): WeftError {
  return new WeftError('NOTE_INVALID', `Not a signed note: ${why}.`);
}
