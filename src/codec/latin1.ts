/** A method of Node's buffers that makes a text of a part of any bytes; TypeScript's library for browsers does not list it. */
type Slice = (this: Uint8Array, start: number, end: number) => string;

const { Buffer: buffers } = globalThis as {
  readonly Buffer?: { readonly prototype: { readonly latin1Slice?: Slice } };
};
const slice = buffers?.prototype.latin1Slice;
const decoder = new TextDecoder('latin1');

/**
 * A text with a character for each byte, to be compared with ASCII: of bytes above 0x7f it only says that they are no ASCII, as browsers
 * read some of them by Windows' code page. In Node half as much work as a TextDecoder.
 */
export function decodeLatin1(bytes: Uint8Array): string {
  return slice === undefined ? decoder.decode(bytes) : slice.call(bytes, 0, bytes.length);
}
