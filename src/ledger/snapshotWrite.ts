import type { Cbor } from '../codec/cbor.ts';
import { decodeCbor, encodeCbor } from '../codec/cbor.ts';
import { WeftError } from '../codec/error.ts';
import { fromHex } from '../codec/hex.ts';
import { decodeUtf8 } from '../codec/utf8.ts';
import { sha256Hex } from '../crypto/hash.ts';
import { parseCheckpoint } from '../log/checkpoint.ts';
import { parseNote } from '../log/note.ts';
import type { Genesis } from './genesis.ts';
import type { Header } from './header.ts';
import type { LogTiles } from './logReader.ts';
import { SnapshotDraft } from './snapshotFile.ts';
import {
  encodeManifest,
  manifestId,
  type PartKind,
  partKinds,
  type SnapshotPart,
  snapshotLimits,
} from './snapshotFormat.ts';
import { encodeEpoch, type Store } from './store.ts';
import { blockKey, prefixRange } from './storeKeys.ts';
import type { StoredBlock } from './types.ts';
import type { Epoch } from './validatorSet.ts';

/**
 * A finalized block with the state after it, held still while the chain goes on: blocks and log only grow, and the state is read
 * by an iterator that was begun at this block.
 */
export type Captured = {
  readonly genesis: Genesis;
  readonly block: StoredBlock;
  readonly store: Store;
  readonly log: LogTiles;
  readonly state: AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>;
};

/** Of the finalized height. To be called where no commit is under way: an iterator sees the store as it was when it began. */
export async function capture(genesis: Genesis, store: Store, log: LogTiles, height: number): Promise<Captured> {
  const block = store.block(height);
  if (block === undefined) {
    throw new WeftError('SNAPSHOT_NO_FINALIZATION', 'No block is finalized yet: there is nothing to keep.');
  }
  return { genesis, block, store, log, state: await begun(store.range(...prefixRange('s'))) };
}

/** An iterable whose first item is read already. */
async function begun<Item>(items: AsyncIterable<Item>): Promise<AsyncIterable<Item>> {
  const iterator = items[Symbol.asyncIterator]();
  const first = await iterator.next();
  return (async function* () {
    try {
      for (let next = first; !next.done; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  })();
}

export type WrittenSnapshot = {
  readonly path: string;
  readonly height: number;
  /** Hex, of the manifest. */
  readonly id: string;
  readonly bytes: number;
};

/**
 * Writes the snapshot of a captured block, part by part, so that the event loop is never kept for longer than a part takes.
 * `checkpoint`: asked last, when the cosigners had time; a published one of this epoch that covers the block.
 * @throws WeftError SNAPSHOT_NO_FINALIZATION, SNAPSHOT_NO_CHECKPOINT, SNAPSHOT_PRUNED (the duplicate window is not held whole)
 */
export async function writeSnapshot(
  captured: Captured,
  path: string,
  checkpoint: () => Promise<string | undefined>,
  stopped: () => boolean = () => false,
): Promise<WrittenSnapshot> {
  const { genesis, block, store, log } = captured;
  const { header, headerBytes, certificate } = block;
  if (certificate === undefined) {
    throw new WeftError('SNAPSHOT_NO_FINALIZATION', `Block ${header.height} was not finalized directly.`);
  }
  const base = baseOf(header, store);
  const draft = await SnapshotDraft.open(path, false);
  try {
    const writer = new PartWriter(draft, stopped);
    for (const item of walkOf(header.epoch, store)) await writer.add(partKinds.walk, item);
    const firstHeader = Math.max(1, base.height);
    for await (const [, value] of store.range(blockKey(firstHeader), blockKey(header.height + 1))) {
      const [bytes = null] = decodeCbor(value, { bytesMax: 4096 }) as readonly Cbor[];
      await writer.add(partKinds.headers, bytes);
    }
    for await (const leaf of store.leaves(base.logSize, header.logSize)) await writer.add(partKinds.entries, leaf);
    let items = 0;
    for await (const [key, value] of captured.state) {
      items += 1;
      if (items > snapshotLimits.stateItemsMax)
        throw new WeftError('SNAPSHOT_TOO_LARGE', 'The state has more paths than a snapshot of this format holds.');
      await writer.add(partKinds.state, [decodeUtf8(key.subarray(1)), value]);
    }
    await writer.close();
    const note = await checkpoint();
    const size = note === undefined ? 0 : parseCheckpoint(parseNote(note).text).size;
    if (note === undefined || size < header.logSize) {
      throw new WeftError(
        'SNAPSHOT_NO_CHECKPOINT',
        `No cosigned checkpoint covers block ${header.height} yet: try again in a moment.`,
      );
    }
    const manifest = encodeManifest({
      chain: genesis.chain,
      genesisHash: fromHex(genesis.genesisHash, 32),
      height: header.height,
      header: headerBytes,
      finalization: certificate,
      base: { ...base, edge: log.edgeAt(base.logSize) },
      checkpoint: note,
      consistency: size === header.logSize ? [] : log.consistency(header.logSize, size),
      parts: writer.parts,
    });
    await draft.finish(manifest, writer.parts);
    return { path, height: header.height, id: manifestId(manifest), bytes: writer.bytes + manifest.length };
  } catch (error) {
    await draft.abandon(false);
    throw error;
  }
}

/** The longest life that a transaction could have in any epoch so far: what is older than that cannot come again. */
export function lifetimeMax(epoch: number, store: Pick<Store, 'epoch'>): number {
  let longest = 0;
  for (let each = 1; each <= epoch; each += 1) {
    longest = Math.max(longest, store.epoch(each)?.consensus.maxTxLifetimeMs ?? 0);
  }
  return longest;
}

/** The last block before the duplicate window of `tip`: nothing up to it can still be valid. Height 0 is genesis. */
export function baseOf(tip: Header, store: Store): { readonly height: number; readonly logSize: number } {
  const before = tip.time - lifetimeMax(tip.epoch, store);
  const { floor } = store;
  let low = floor.height - 1;
  let high = tip.height - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const time = store.header(middle)?.time ?? Number.POSITIVE_INFINITY;
    if (time <= before) low = middle;
    else high = middle - 1;
  }
  if (low === 0) return { height: 0, logSize: 1 };
  const header = store.header(low);
  if (header === undefined || header.time > before) {
    throw new WeftError('SNAPSHOT_PRUNED', `The duplicate window of block ${tip.height} is not held whole here.`);
  }
  return { height: low, logSize: header.logSize };
}

/** Closing headers with their finalizations and what follows them, from epoch 1 to the one before `epoch`. */
function* walkOf(epoch: number, store: Store): Generator<Cbor> {
  for (let each = 1; each < epoch; each += 1) {
    const height = store.closingHeight(each);
    const block = height === undefined ? undefined : store.block(height);
    const next = store.epoch(each + 1);
    if (block?.certificate === undefined || next === undefined) {
      throw new WeftError(
        'SNAPSHOT_NO_FINALIZATION',
        `The block that closed epoch ${each} is not held with its proof.`,
      );
    }
    yield [block.headerBytes, block.certificate, encodeEpoch(withoutUrls(next))];
  }
}

/** URLs decide nothing and no digest binds them, so they do not travel. */
function withoutUrls(epoch: Epoch): Epoch {
  return { ...epoch, validators: epoch.validators.map((validator) => ({ ...validator, url: '' })) };
}

/** Collects things into parts of about one size and appends them to the draft. */
class PartWriter {
  readonly parts: SnapshotPart[] = [];
  bytes = 0;
  readonly #draft: SnapshotDraft;
  #items: Cbor[] = [];
  #held = 0;
  #kind: PartKind = partKinds.walk;

  readonly #stopped: () => boolean;

  constructor(draft: SnapshotDraft, stopped: () => boolean) {
    this.#draft = draft;
    this.#stopped = stopped;
  }

  async add(kind: PartKind, item: Cbor): Promise<void> {
    const size = sizeOf(item);
    if (kind !== this.#kind || this.#held + size > snapshotLimits.partBytes) await this.close();
    this.#kind = kind;
    this.#items.push(item);
    this.#held += size;
  }

  async close(): Promise<void> {
    if (this.#stopped()) throw new WeftError('SNAPSHOT_STOPPED', 'The node stops before the snapshot is whole.');
    if (this.#items.length === 0) return;
    if (this.parts.length >= snapshotLimits.partsMax)
      throw new WeftError('SNAPSHOT_TOO_LARGE', 'The ledger is too large for a snapshot of this format.');
    const bytes = encodeCbor(this.#items);
    await this.#draft.append(bytes);
    this.parts.push({ kind: this.#kind, digest: sha256Hex(bytes), length: bytes.length });
    this.bytes += bytes.length;
    this.#items = [];
    this.#held = 0;
  }
}

/** About: what the item adds to its part. */
function sizeOf(item: Cbor): number {
  if (item instanceof Uint8Array || typeof item === 'string') return item.length + 5;
  if (Array.isArray(item)) return (item as readonly Cbor[]).reduce((sum: number, each) => sum + sizeOf(each), 5);
  return 9;
}
