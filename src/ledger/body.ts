import { decodeCbor, encodeCborBytes } from '../codec/cbor.ts';
import { WeftError } from '../codec/error.ts';
import { readHex, toHex } from '../codec/hex.ts';
import { ENVELOPE_BYTES_MAX } from '../crypto/dsse.ts';
import { sha256, sha256Into } from '../crypto/hash.ts';
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
  let count = envelopeIds.length;
  if (count === 0) return toHex(treeHasher.emptyRoot);
  const digests = count <= usualCount ? usualDigests : new Uint8Array(digestBytes * count);
  for (let i = 0; i < count; i += 1) {
    const id = envelopeIds[i] ?? '';
    if (id.length !== 2 * digestBytes) throw new WeftError('HEX_INVALID', `An envelope id of ${id.length} digits.`);
    readHex(id, leaf, 1);
    sha256Into(leaf, digests, digestBytes * i);
  }
  // Level by level: of the nodes of one level two at a time are one of the next, and a last one without another goes up as it is.
  for (; count > 1; count = Math.ceil(count / 2)) {
    for (let i = 0; 2 * i + 1 < count; i += 1) {
      const from = 2 * digestBytes * i;
      for (let at = 0; at < 2 * digestBytes; at += 1) node[1 + at] = digests[from + at] ?? 0;
      sha256Into(node, digests, digestBytes * i);
    }
    if (count % 2 === 1)
      digests.copyWithin((digestBytes * (count - 1)) / 2, digestBytes * (count - 1), digestBytes * count);
  }
  return toHex(digests.subarray(0, digestBytes));
}

const digestBytes = 32;
/** What is hashed, behind the byte that says whether it is a leaf or a node, and the digests of one level. Nobody else hashes meanwhile. */
const leaf = new Uint8Array(1 + digestBytes);
const node = Uint8Array.of(1, ...new Uint8Array(2 * digestBytes));
const usualCount = 1024;
const usualDigests = new Uint8Array(usualCount * digestBytes);
