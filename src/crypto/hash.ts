import { hash } from 'node:crypto';

/** SHA-256, 32 bytes; of bytes, or of the UTF-8 of a well-formed text. */
export function sha256(bytes: Uint8Array | string): Uint8Array {
  // As a string of one character a byte: a Buffer for the digest costs more than the digest itself (0.9 of 1.3 µs), and an array
  // of 32 bytes that no native code has touched lies in V8's own heap. A plain one: a Buffer would slice and compare differently.
  const text = hash('sha256', bytes, 'latin1');
  const digest = new Uint8Array(32);
  for (let i = 0; i < 32; i += 1) digest[i] = text.charCodeAt(i);
  return digest;
}

/** The same as text of one character a byte: an object less for whoever keeps many of them. */
export function sha256Text(bytes: Uint8Array | string): string {
  return hash('sha256', bytes, 'latin1');
}

/** The same into `target` from `at` on, where many digests are made of one another and none is kept. */
export function sha256Into(bytes: Uint8Array, target: Uint8Array, at: number): void {
  const text = hash('sha256', bytes, 'latin1');
  for (let i = 0; i < 32; i += 1) target[at + i] = text.charCodeAt(i);
}

/** SHA-256 of bytes, or of the UTF-8 of a well-formed text, as 64 lower-case hex digits. */
export function sha256Hex(bytes: Uint8Array | string): string {
  return hash('sha256', bytes, 'hex');
}
