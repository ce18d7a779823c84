import { decodeCbor, encodeCbor } from '../codec/cbor.ts';
import { WeftError } from '../codec/error.ts';
import { fromHex, toHex } from '../codec/hex.ts';
import type { NoteSignature } from './note.ts';

/** A cosignature as validators send it to each other, and as evidence holds it: what was signed, and the signature line. */
export type SentCosignature = {
  readonly size: number;
  /** Hex. */
  readonly root: string;
  readonly line: NoteSignature;
};

const sentCosignatureBytesMax = 512;
const blobBytes = 72;

/** CBOR `[size, root, key name, key id, blob]`; blob = u64 BE seconds ‖ signature. */
export function encodeSentCosignature({ size, root, line }: SentCosignature): Uint8Array {
  return encodeCbor([size, fromHex(root, 32), line.name, fromHex(line.keyId), line.blob]);
}

/** Verifies nothing but the shape. @throws WeftError COSIGNATURE_INVALID, CBOR_* */
export function decodeSentCosignature(bytes: Uint8Array): SentCosignature {
  const value = decodeCbor(bytes, { bytesMax: sentCosignatureBytesMax, depthMax: 1, itemsMax: 6 });
  if (!Array.isArray(value) || value.length !== 5) throw invalid();
  const [size, root, name, keyId, blob] = value as unknown[];
  if (typeof size !== 'number' || size < 1 || typeof name !== 'string') throw invalid();
  if (!(root instanceof Uint8Array) || root.length !== 32) throw invalid();
  if (!(keyId instanceof Uint8Array) || keyId.length !== 4) throw invalid();
  if (!(blob instanceof Uint8Array) || blob.length !== blobBytes) throw invalid();
  return { size, root: toHex(root), line: { name, keyId: toHex(keyId), blob } };
}

function invalid(): WeftError {
  return new WeftError('COSIGNATURE_INVALID', 'Not a cosignature as validators of this version send it.');
}
