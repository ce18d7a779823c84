import { WeftError } from './error.ts';

const encoder = new TextEncoder();
// `ignoreBOM` keeps a byte order mark as a character: dropped, two byte strings would decode to one text.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** UTF-8 of a text. A lone surrogate has no UTF-8 and is refused (`UTF8_INVALID`), not replaced by U+FFFD. */
export function encodeUtf8(text: string): Uint8Array {
  if (!text.isWellFormed()) {
    throw new WeftError(
      'UTF8_INVALID',
      'The text holds a lone surrogate, which has no UTF-8. Send well-formed Unicode.',
    );
  }
  return encoder.encode(text);
}

/** The text of UTF-8 bytes, one to one: what is not valid UTF-8 is refused (`UTF8_INVALID`), a BOM is a character. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new WeftError('UTF8_INVALID', `The ${bytes.length} bytes are not valid UTF-8.`, { bytes: bytes.length });
  }
}

/** One new array with the parts in order. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** Same length and bytes. Not constant in time: never for secrets. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}
