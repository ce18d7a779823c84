/**
 * Yamux frames (https://github.com/hashicorp/yamux/blob/master/spec.md): 12 bytes, big-endian, then the bytes of a data frame:
 *
 *     version u8 = 0 ‖ type u8 ‖ flags u16 ‖ stream id u32 ‖ length u32
 */
export const yamuxProtocol = '/yamux/1.0.0';
export const headBytes = 12;

export const dataType = 0;
export const windowType = 1;
export const pingType = 2;
export const goAwayType = 3;

export const synFlag = 1;
export const ackFlag = 2;
export const finFlag = 4;
export const rstFlag = 8;

export const normalEnd = 0;
export const protocolError = 1;
export const internalError = 2;

/** What each side may send on a new stream before it is granted more; part of the protocol. */
export const initialWindowBytes = 256 * 1024;

/** Writes a head at `offset`. The caller has made sure of the room. */
export function writeHead(
  target: Uint8Array,
  offset: number,
  type: number,
  flags: number,
  stream: number,
  length: number,
): void {
  target[offset] = 0;
  target[offset + 1] = type;
  target[offset + 2] = 0;
  target[offset + 3] = flags;
  target[offset + 4] = stream >>> 24;
  target[offset + 5] = stream >>> 16;
  target[offset + 6] = stream >>> 8;
  target[offset + 7] = stream;
  target[offset + 8] = length >>> 24;
  target[offset + 9] = length >>> 16;
  target[offset + 10] = length >>> 8;
  target[offset + 11] = length;
}

/** A frame without a body. */
export function lone(type: number, flags: number, stream: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(headBytes);
  writeHead(bytes, 0, type, flags, stream, length);
  return bytes;
}
