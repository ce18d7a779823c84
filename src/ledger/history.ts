import type { Finalization } from '../../consensus/types.ts';
import { decodeUtf8, encodeUtf8, equalBytes } from '../codec/utf8.ts';
import { decodeCertificate } from './certificate.ts';
import type { Header } from './header.ts';
import type { Store } from './store.ts';
import type { StoredBlock, StoredTx } from './types.ts';

const idPattern = /^[0-9a-f]{64}$/;
/** 65,535 transactions with 64 records each, and those of the block itself: above what any block has. */
const leavesOfBlockMax = 5_000_000;

/** Heights whose log size is kept, at least. */
const sizesKept = 1024;

/** Finalized blocks, transactions and log entries as the store has them, with genesis as block 0. */
export class History {
  readonly #store: Store;
  readonly #genesisHash: string;
  readonly #genesisHeader: Header;
  /** Height → log size, where searches begin. */
  readonly #sizes = new Map<number, number>();

  constructor(store: Store, genesisHash: string, genesisHeader: Header) {
    this.#store = store;
    this.#genesisHash = genesisHash;
    this.#genesisHeader = genesisHeader;
  }

  block(heightOrId: number | string): StoredBlock | undefined {
    const height = typeof heightOrId === 'number' ? heightOrId : this.#heightOf(heightOrId);
    if (height === undefined || !Number.isSafeInteger(height) || height < 0) return undefined;
    if (height > 0) return this.#store.block(height);
    return {
      blockId: this.#genesisHash,
      header: this.#genesisHeader,
      headerBytes: new Uint8Array(0),
      transactions: 0,
      certificate: undefined,
    };
  }

  body(height: number): Uint8Array | undefined {
    const header = height < this.#store.floor.height ? undefined : this.#store.header(height);
    const from = this.#logSizeAt(height - 1);
    return header === undefined || from === undefined ? undefined : this.#store.body(from, header.logSize);
  }

  /** Header and body. */
  bytes(blockId: string): { readonly header: Uint8Array; readonly body: Uint8Array } | undefined {
    const height = this.#store.heightOf(blockId);
    const header = height === undefined ? undefined : this.#store.block(height)?.headerBytes;
    const body = height === undefined ? undefined : this.body(height);
    return header === undefined || body === undefined ? undefined : { header, body };
  }

  certificate(height: number): Finalization | undefined {
    const bytes = this.#store.certificate(height);
    const header = this.#store.header(height);
    if (bytes === undefined || header === undefined) return undefined;
    const epoch = this.#store.epoch(header.epoch);
    return epoch && (decodeCertificate(bytes, epoch.validators.length) as Finalization);
  }

  /** `upTo`: the finalized height. A batch is readable a moment before the tip moves to it. */
  transaction(txId: string, upTo: number): StoredTx | undefined {
    if (!idPattern.test(txId)) return undefined;
    const entry = this.#store.tx(txId);
    const header = entry === undefined ? undefined : this.#store.header(entry.height);
    if (entry === undefined || header === undefined || entry.height > upTo) return undefined;
    const records: { index: number; leaf: Uint8Array }[] = [];
    for (let index = entry.index + 1; index <= entry.index + entry.records; index += 1) {
      const leaf = this.#store.leaf(index);
      if (leaf !== undefined) records.push({ index, leaf });
    }
    const { height, index, expires, refused } = entry;
    return { height, time: header.time, index, records, expires, ...(refused === undefined ? {} : { refused }) };
  }

  /** The height is found by a search: log sizes ascend with heights. Below the floor the next block record names it. */
  entry(index: number, tip: Header): { readonly leaf: Uint8Array; readonly height: number } | undefined {
    if (!Number.isSafeInteger(index) || index < 0 || index >= tip.logSize) return undefined;
    const leaf = this.#store.leaf(index);
    if (leaf === undefined) return undefined;
    if (index === 0) return { leaf, height: 0 };
    if (index < this.#store.floor.logSize) {
      const height = this.#heightByRecord(index);
      return height === undefined ? undefined : { leaf, height };
    }
    return { leaf, height: this.#heightWith(index, tip.height) };
  }

  /** In steps of powers of two, so that whatever the tip is most of them lead to heights whose size is known from the search before. */
  #heightWith(index: number, tip: number): number {
    let step = 1;
    while (step < tip) step *= 2;
    // So many heights are kept, or twice as many.
    const kept = Math.ceil(step / sizesKept);
    let below = 0;
    for (; step >= 1; step /= 2) {
      const height = below + step;
      if (height < tip && this.#logSizeNear(height, kept) <= index) below = height;
    }
    return below + 1;
  }

  #logSizeNear(height: number, kept: number): number {
    if (height % kept !== 0) return this.#logSizeAt(height) ?? 0;
    const known = this.#sizes.get(height);
    if (known !== undefined) return known;
    const size = this.#logSizeAt(height);
    if (size === undefined) return 0;
    if (this.#sizes.size >= 2 * sizesKept) this.#sizes.clear();
    this.#sizes.set(height, size);
    return size;
  }

  /** A block's record is its last leaf, so the first one from here on is that of this entry's block. */
  #heightByRecord(index: number): number | undefined {
    for (let at = index; at < index + leavesOfBlockMax; at += 1) {
      const leaf = this.#store.leaf(at);
      if (leaf === undefined) return undefined;
      const height = heightOfBlockRecord(leaf);
      if (height !== undefined) return height;
    }
    return undefined;
  }

  #heightOf(blockId: string): number | undefined {
    if (!idPattern.test(blockId)) return undefined;
    return blockId === this.#genesisHash ? 0 : this.#store.heightOf(blockId);
  }

  #logSizeAt(height: number): number | undefined {
    const { floor } = this.#store;
    return height === floor.height - 1 ? floor.logSize : this.#store.header(height)?.logSize;
  }
}

const recordPrefix = encodeUtf8('{"type":"block","height":');

/** The height that a leaf names if it is a block record (docs/formats.md §11: members in this order). */
export function heightOfBlockRecord(leaf: Uint8Array): number | undefined {
  if (leaf.length < recordPrefix.length || !equalBytes(leaf.subarray(0, recordPrefix.length), recordPrefix)) {
    return undefined;
  }
  const digits = /^[0-9]{1,16}/.exec(decodeUtf8(leaf.subarray(recordPrefix.length, recordPrefix.length + 16)));
  return digits === null ? undefined : Number(digits[0]);
}
