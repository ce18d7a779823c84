import { decodeCbor, encodeCborBytes } from '../codec/cbor.ts';
import { WeftError } from '../codec/error.ts';
import { fromHex, toHex } from '../codec/hex.ts';
import { ENVELOPE_BYTES_MAX } from '../crypto/dsse.ts';
import { sha256 } from '../crypto/hash.ts';
import { Frontier } from '../log/frontier.ts';
import { createTreeHasher } from '../log/hasher.ts';

export const treeHasher = createTreeHasher(sha256);

/** Validity bounds of the epoch: its consensus parameters `maxBlockBytes` (of the encoded body) and `maxBlockTxs`. */
export type BodyLimits = { readonly maxBlockBytes: number; readonly maxBlockTxs: number };

/** CBOR array of byte strings: the envelopes' exact bytes, in block order. */
export function encodeBody(envelopes: readonly Uint8Array[]): Uint8Array {
  return encodeCborBytes(envelopes);
}

/**
 * The envelopes, as views of `bytes` when `views` is true. Refusals: `BLOCK_TOO_LARGE` (bytes or count), `BODY_INVALID` (no list of non-empty
 * byte strings ≤ 48 KiB), `CBOR_*`.
 */
export function decodeBody(bytes: Uint8Array, limits: BodyLimits, views = false): Uint8Array[] {
  checkBodySize(bytes.length, 0, limits);
  const value = decodeCbor(bytes, { bytesMax: limits.maxBlockBytes, depthMax: 1, itemsMax: 65_536, views });
  if (!Array.isArray(value)) throw new WeftError('BODY_INVALID', 'A block body is a CBOR array of envelopes.');
  checkBodySize(bytes.length, value.length, limits);
  for (const envelope of value) {
    if (!(envelope instanceof Uint8Array) || envelope.length === 0 || envelope.length > ENVELOPE_BYTES_MAX) {
      throw new WeftError('BODY_INVALID', 'A block body holds byte strings of 1 to 49,152 bytes.');
    }
  }
  return value as Uint8Array[];
}

/** @throws WeftError BLOCK_TOO_LARGE */
export function checkBodySize(bytes: number, transactions: number, limits: BodyLimits): void {
  if (bytes > limits.maxBlockBytes) {
    throw new WeftError('BLOCK_TOO_LARGE', `A body of ${bytes} bytes; at most ${limits.maxBlockBytes} are valid.`);
  }
  if (transactions > limits.maxBlockTxs) {
    throw new WeftError(
      'BLOCK_TOO_LARGE',
      `A body of ${transactions} transactions; at most ${limits.maxBlockTxs} are valid.`,
    );
  }
}

/** RFC 6962 root over the envelope ids (hex, block order), each as a leaf of 32 bytes. Of none: SHA-256 of nothing. */
export function txRootOf(envelopeIds: readonly string[]): string {
  const leaves = envelopeIds.map((id) => treeHasher.leafHash(fromHex(id, 32)));
  return toHex(Frontier.empty(treeHasher).appendAll(leaves).root());
}
