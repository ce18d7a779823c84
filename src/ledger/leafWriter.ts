import { checkEntry } from '../log/bundles.ts';
import { treeHasher } from './body.ts';
import { txPrefix, txSuffix } from './leaves.ts';

/**
 * Of the pieces of memory that a block's leaves lie in: the first, how much larger the next one is, the largest. A block without transactions
 * has 400 bytes of leaves, and who catches up holds sixteen thousand of those until the last of them is final.
 */
const firstBytes = 1024;
const growth = 4;
const pieceBytes = 64 * 1024;

export type WrittenLeaf = { readonly bytes: Uint8Array; readonly hash: Uint8Array };

/**
 * The leaves of one block, one behind the other in a few pieces of memory, each behind the byte 0 with which RFC 6962 hashes it: an
 * array of its own for each, and another to hash it, cost more than the hash.
 */
export class LeafWriter {
  #piece = Buffer.alloc(0);
  #at = 0;

  /** `{"type":"tx","envelope":{…}}` around the envelope's own bytes, which are JSON and are never serialised again. @throws WeftError LOG_ENTRY_TOO_LARGE */
  tx(envelope: Uint8Array): WrittenLeaf {
    this.#reserve(txPrefix.length + envelope.length + txSuffix.length);
    const from = this.#at;
    this.#piece.set(txPrefix, from);
    this.#piece.set(envelope, from + txPrefix.length);
    this.#piece.set(txSuffix, from + txPrefix.length + envelope.length);
    return this.#leaf(txPrefix.length + envelope.length + txSuffix.length);
  }

  /** `text`: what JSON.stringify gave, which is well-formed. @throws WeftError LOG_ENTRY_TOO_LARGE */
  record(text: string): WrittenLeaf {
    // UTF-8 takes three bytes at most for each unit of a text.
    this.#reserve(3 * text.length);
    return this.#leaf(this.#piece.write(text, this.#at));
  }

  /** Room for one leaf, behind its byte 0. */
  #reserve(bytes: number): void {
    if (this.#at + 1 + bytes > this.#piece.length) {
      const size = Math.min(pieceBytes, Math.max(firstBytes, growth * this.#piece.length));
      this.#piece = Buffer.allocUnsafeSlow(Math.max(size, 1 + bytes));
      this.#at = 0;
    }
    this.#piece[this.#at] = 0;
    this.#at += 1;
  }

  #leaf(length: number): WrittenLeaf {
    const { buffer, byteOffset } = this.#piece;
    const at = byteOffset + this.#at;
    this.#at += length;
    return {
      bytes: checkEntry(new Uint8Array(buffer, at, length)),
      hash: treeHasher.hash(new Uint8Array(buffer, at - 1, 1 + length)),
    };
  }
}
