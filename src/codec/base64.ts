// RFC 4648 base64 in the two spellings that Weft knows: the standard alphabet with padding (C2SP formats, DSSE) and the
// URL alphabet without (our JSON). Both are read strictly: the bytes must encode to the very text that was read, so no
// whitespace, no missing or extra padding, no bits left over, no character of the other alphabet.
import { WeftError } from './error.ts';

/** The methods of ES2026 (Node 25, browsers of 2025), which TypeScript's library for our target does not list. */
type NativeBytes = Uint8Array & { toBase64?(options: { alphabet: Alphabet; omitPadding: boolean }): string };
type NativeArray = {
  fromBase64?(text: string, options: { alphabet: Alphabet; lastChunkHandling: 'loose' }): Uint8Array;
};
type Alphabet = 'base64' | 'base64url';

const standard = { alphabet: 'base64', omitPadding: false } as const;
const url = { alphabet: 'base64url', omitPadding: true } as const;

function encode(bytes: Uint8Array, spelling: typeof standard | typeof url): string {
  const native = bytes as NativeBytes;
  if (native.toBase64 !== undefined) return native.toBase64(spelling);
  return encodeByHand(bytes, spelling.alphabet === 'base64url');
}

function decode(text: string, spelling: typeof standard | typeof url, length: number | undefined): Uint8Array {
  const native = Uint8Array as unknown as NativeArray;
  const name = spelling.alphabet;
  if (length !== undefined && text.length !== encodedLength(length, spelling.omitPadding)) {
    throw new WeftError('BASE64_INVALID', `${name} of ${text.length} characters where ${length} bytes are expected.`, {
      length: text.length,
    });
  }
  let bytes: Uint8Array | undefined;
  try {
    bytes =
      native.fromBase64 === undefined
        ? decodeByHand(text, name === 'base64url')
        : native.fromBase64(text, { alphabet: name, lastChunkHandling: 'loose' });
  } catch {
    bytes = undefined;
  }
  if (bytes === undefined || encode(bytes, spelling) !== text) {
    const padding = spelling.omitPadding ? 'without padding' : 'with padding';
    throw new WeftError('BASE64_INVALID', `Not strict ${name} ${padding}: decode and encode it again to repair it.`, {
      length: text.length,
    });
  }
  return bytes;
}

function encodedLength(bytes: number, omitPadding: boolean): number {
  return omitPadding ? Math.ceil((bytes * 4) / 3) : 4 * Math.ceil(bytes / 3);
}

/** For runtimes before ES2026. Exported for the test that holds it to the native methods. */
export function encodeByHand(bytes: Uint8Array, urlAlphabet: boolean): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  const text = btoa(binary);
  return urlAlphabet ? text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '') : text;
}

/** For runtimes before ES2026; lenient, as the caller compares. Throws on what `atob` refuses. */
export function decodeByHand(text: string, urlAlphabet: boolean): Uint8Array {
  const binary = atob(urlAlphabet ? text.replaceAll('-', '+').replaceAll('_', '/') : text);
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

/** Standard alphabet, padded (RFC 4648 §4). */
export function toBase64(bytes: Uint8Array): string {
  return encode(bytes, standard);
}

/** Strict standard base64; `length` is the exact number of bytes expected, checked first. Refusal: `BASE64_INVALID`. */
export function fromBase64(text: string, length?: number): Uint8Array {
  return decode(text, standard, length);
}

/** URL alphabet without padding (RFC 4648 §5). */
export function toBase64Url(bytes: Uint8Array): string {
  return encode(bytes, url);
}

/** Strict base64url without padding; `length` is the exact number of bytes expected. Refusal: `BASE64_INVALID`. */
export function fromBase64Url(text: string, length?: number): Uint8Array {
  return decode(text, url, length);
}
