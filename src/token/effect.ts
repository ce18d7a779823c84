import { canonicalJson } from '../codec/canonical.ts';
import { toHex } from '../codec/hex.ts';
import { encodeUtf8 } from '../codec/utf8.ts';
import type { Hash } from '../log/hasher.ts';

/**
 * Digest of a resolved effect: SHA-256 (64 hex digits) of the document's RFC 8785 bytes. An executor makes it of what it is
 * about to do and compares it with the grant; the ledger makes it of what was proposed. Throws JSON_INVALID.
 */
export function effectDigest(hash: Hash, document: object): string {
  return toHex(hash(encodeUtf8(canonicalJson(document))));
}
