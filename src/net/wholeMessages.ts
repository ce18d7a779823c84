import { WeftError } from '../codec/error.ts';

type Bytes = Uint8Array | { subarray(): Uint8Array };

/** Digits of a varint below 2^28, which is above any bound of ours. */
const prefixBytesMax = 4;

/**
 * Gathers what a stream brings to whole messages, each behind its length (varint), as protocols of libp2p write them. Libp2p's own reader keeps an
 * object of some hundred bytes for each piece of a message that is not whole yet: in pieces of one byte, one of 4 MiB holds gigabytes.
 * The room here grows with the bytes that have come.
 * @throws WeftError NET_MESSAGE_TOO_LARGE, which ends the iteration
 */
export async function* wholeMessages(source: AsyncIterable<Bytes>, bytesMax: number): AsyncGenerator<Uint8Array> {
  let room = new Uint8Array(0);
  let has = 0;
  let prefix = 0;
  /** Of prefix and message; undefined while the prefix is not whole. */
  let whole: number | undefined;
  for await (const data of source) {
    const bytes = data.subarray();
    let at = 0;
    while (at < bytes.length) {
      const end: number = whole === undefined ? at + 1 : Math.min(bytes.length, at + whole - has);
      const needs = has + end - at;
      if (needs > room.length) {
        const larger = new Uint8Array(Math.min(whole ?? prefixBytesMax, Math.max(2 * room.length, needs)));
        larger.set(room.subarray(0, has));
        room = larger;
      }
      room.set(bytes.subarray(at, end), has);
      has = needs;
      at = end;
      if (whole === undefined) {
        const digit = room[has - 1] ?? 0;
        prefix += (digit & 0x7f) * 2 ** (7 * (has - 1));
        if (prefix > bytesMax || (digit >= 0x80 && has === prefixBytesMax))
          throw new WeftError('NET_MESSAGE_TOO_LARGE', `a message above ${bytesMax} bytes`);
        if (digit >= 0x80) continue;
        whole = has + prefix;
      }
      if (has < whole) continue;
      yield room.subarray(0, has);
      room = new Uint8Array(0);
      has = 0;
      prefix = 0;
      whole = undefined;
    }
  }
}
