// RFC 4648 base64 in the two spellings that Weft knows: the standard alphabet with padding (C2SP formats, DSSE) and the
// URL alphabet without (our JSON). Both are read strictly: the bytes must encode to the very text that was read, so no
// whitespace, no missing or extra padding, no bits left over, no character of the other alphabet.
import { WeftError } from './error.ts';

/** The methods of ES2026 (Node 25, browsers of 2025), which TypeScript's library for our target does not list. */
type NativeBytes = Uint8Array & {
  toBase64?(options: { alphabet: Alphabet; omitPadding: boolean }): string;
  setFromBase64?(
    text: string,
    options: { alphabet: Alphabet; lastChunkHandling: 'loose' | 'strict' },
  ): { readonly read: number; readonly written: number };
};
type Alphabet = 'base64' | 'base64url';

const standard = { alphabet: 'base64', omitPadding: false, lastChunkHandling: 'strict' } as const;
const url = { alphabet: 'base64url', omitPadding: true, lastChunkHandling: 'loose' } as const;
/** Last characters of base64url without padding whose bits are all of the last byte: after 2 of 4 characters, after 3 of 4. */
const endsOf: readonly string[] = ['', '', 'AQgw', 'AEIMQUYcgkosw048'];

function encode(bytes: Uint8Array, spelling: typeof standard | typeof url): string {
  const native = bytes as NativeBytes;
  if (native.toBase64 !== undefined) return native.toBase64(spelling);
  return encodeByHand(bytes, spelling.alphabet === 'base64url');
}

function decode(text: string, spelling: typeof standard | typeof url, length: number | undefined): Uint8Array {
  const name = spelling.alphabet;
  if (length !== undefined && text.length !== encodedLength(length, spelling.omitPadding)) {
    throw new WeftError('BASE64_INVALID', `${name} of ${text.length} characters where ${length} bytes are expected.`, {
      length: text.length,
    });
  }
  const bytes = new Uint8Array(decodedLength(text, spelling));
  if (!decodeInto(text, spelling, bytes)) {
    const padding = spelling.omitPadding ? 'without padding' : 'with padding';
    throw new WeftError('BASE64_INVALID', `Not strict ${name} ${padding}: decode and encode it again to repair it.`, {
      length: text.length,
    });
  }
  return bytes;
}

/** Bytes that a text of so many characters must decode to, if it is strict. */
function decodedLength(text: string, spelling: typeof standard | typeof url): number {
  if (spelling.omitPadding) return Math.floor((text.length * 3) / 4);
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  return Math.max(0, Math.floor(text.length / 4) * 3 - padding);
}

/**
 * Fills `target`, which has the decoded length. False: not strict. White space and padding where none belongs make a text that is too
 * long for its bytes, and bits left over are refused by the method itself, or here where it has no such mode.
 */
function decodeInto(text: string, spelling: typeof standard | typeof url, target: NativeBytes): boolean {
  if (text.length !== encodedLength(target.length, spelling.omitPadding)) return false;
  try {
    if (target.setFromBase64 === undefined) {
      const bytes = decodeByHand(text, spelling.alphabet === 'base64url');
      if (encode(bytes, spelling) !== text) return false;
      target.set(bytes);
      return true;
    }
    const { read, written } = target.setFromBase64(text, spelling);
    if (read !== text.length || written !== target.length) return false;
    const rest = text.length % 4;
    return rest === 0 || (endsOf[rest] ?? '').includes(text.charAt(text.length - 1));
  } catch {
    return false;
  }
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

/** Bytes of a text, if it is strict standard base64. */
export function base64Bytes(text: string): number {
  return decodedLength(text, standard);
}

/** The same without an array of its own: into `target`, which has `base64Bytes` of the text. @returns false: not strict, and `target` is anything. */
export function readBase64(text: string, target: Uint8Array): boolean {
  return decodeInto(text, standard, target);
}

/** URL alphabet without padding (RFC 4648 §5). */
export function toBase64Url(bytes: Uint8Array): string {
  return encode(bytes, url);
}

/** Strict base64url without padding; `length` is the exact number of bytes expected. Refusal: `BASE64_INVALID`. */
export function fromBase64Url(text: string, length?: number): Uint8Array {
  return decode(text, url, length);
}
