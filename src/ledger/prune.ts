import { WeftError } from '../codec/error.ts';
import { encodeUtf8, equalBytes } from '../codec/utf8.ts';
import { tileWidth } from '../log/tiles.ts';
import { encodeFloor, type Floor } from './floor.ts';
import { isClosing } from './header.ts';
import { heightOfBlockRecord } from './history.ts';
import type { WriteOp } from './keyValue.ts';
import { indexKeys, readEntries } from './snapshotEntries.ts';
import { baseOf } from './snapshotWrite.ts';
import type { Store } from './store.ts';
import { blockIdKey, blockKey, certificateKey, metaKey, prefixRange } from './storeKeys.ts';
import type { StoredBlock } from './types.ts';

/** What is kept at least. */
export type Retention = {
  /** Newest blocks; 0: all. */
  readonly blocks: number;
  /** Newest log entries; 0: all. */
  readonly entries: number;
};

export type PruneGoal = {
  /** First height that is held whole. */
  readonly height: number;
  /** First log index whose entry is held. */
  readonly entry: number;
};

/** Of one slice: what it keeps the event loop and the queue of writes for is a few milliseconds. */
const sliceBlocks = 64;
const sliceEntries = 1024;

/**
 * How far pruning may go. Never above the base of the duplicate window of `tip` (what can still come twice is known, and a snapshot
 * can be made), nor above `snapshot` + 1: whoever begins from a snapshot finds the blocks after it. Entries go only with
 * their blocks, whose bodies they are, and by whole bundles.
 */
export function pruneGoal(store: Store, tip: StoredBlock, retention: Retention, snapshot: number): PruneGoal {
  const { floor } = store;
  const keep = { height: floor.height, entry: floor.entry };
  if (retention.blocks === 0 || snapshot === 0) return keep;
  const { height, logSize } = tip.header;
  const base = baseHeight(store, tip);
  const goal = Math.max(floor.height, Math.min(height - retention.blocks + 1, snapshot + 1, base));
  if (retention.entries === 0) return { ...keep, height: goal };
  const before = goal === floor.height ? floor.logSize : (store.header(goal - 1)?.logSize ?? floor.logSize);
  const entry = Math.min(logSize - retention.entries, before);
  return { height: goal, entry: Math.max(floor.entry, entry - (entry % tileWidth)) };
}

/** A store that began from a snapshot a moment ago has nothing to give. */
function baseHeight(store: Store, tip: StoredBlock): number {
  try {
    return baseOf(tip.header, store).height;
  } catch (error) {
    if (error instanceof WeftError) return 0;
    throw error;
  }
}

/** One batch: what goes, with the floor that is true after it. */
export type PruneSlice = { readonly ops: readonly WriteOp[]; readonly floor: Floor };

/**
 * The next slice: first blocks with their indexes, then entries; undefined when the goal is reached. Headers and finalizations of
 * closing blocks stay, the records that name an epoch's validators, leaf 0 and every tile.
 */
export function pruneSlice(store: Store, goal: PruneGoal): PruneSlice | undefined {
  const ops: WriteOp[] = [];
  const floor = store.floor.height < goal.height ? dropBlocks(store, goal, ops) : dropEntries(store, goal, ops);
  if (floor === undefined) return undefined;
  ops.push({ type: 'put', key: metaKey('floor'), value: encodeFloor(floor) });
  return { ops, floor };
}

function dropBlocks(store: Store, goal: PruneGoal, ops: WriteOp[]): Floor | undefined {
  let floor = store.floor;
  let entries = 0;
  for (let n = 0; n < sliceBlocks && floor.height < goal.height && entries < sliceEntries; n += 1) {
    const block = store.block(floor.height);
    if (block === undefined) break;
    const { header, blockId } = block;
    const leaves: Uint8Array[] = [];
    for (let index = floor.logSize; index < header.logSize; index += 1) {
      const leaf = store.leaf(index);
      if (leaf !== undefined) leaves.push(leaf);
    }
    entries += leaves.length;
    const facts = readEntries(floor.logSize, leaves);
    const records = facts.records.filter(({ type }) => type !== 'epoch');
    for (const key of indexKeys({ ...facts, records })) ops.push({ type: 'del', key });
    if (!isClosing(header)) {
      for (const key of [blockKey(header.height), blockIdKey(blockId), certificateKey(header.height)])
        ops.push({ type: 'del', key });
    }
    floor = { ...floor, height: header.height + 1, logSize: header.logSize };
  }
  return floor === store.floor ? undefined : floor;
}

const epochPrefix = encodeUtf8('{"type":"epoch"');

function dropEntries(store: Store, goal: PruneGoal, ops: WriteOp[]): Floor | undefined {
  const { floor } = store;
  // By whole groups, which is how they are held.
  const until = Math.min(goal.entry, floor.logSize, floor.entry + sliceEntries);
  const end = until - (until % tileWidth);
  if (end <= floor.entry) return undefined;
  // Whoever walks from one set of validators to the next needs the record that names it.
  store.dropLeaves(ops, Math.max(1, floor.entry), end, (leaf) => namesEpoch(leaf, store));
  return { ...floor, entry: end };
}

/** The record itself, and that of its block, which says where it stands: closing blocks are all that is held below the floor. */
function namesEpoch(leaf: Uint8Array, store: Store): boolean {
  if (equalBytes(leaf.subarray(0, epochPrefix.length), epochPrefix)) return true;
  const height = heightOfBlockRecord(leaf);
  return height !== undefined && store.block(height) !== undefined;
}

/** Gives back the disk that deleted keys still take: LevelDB does so by itself only when it happens to write there. */
export async function compactPruned(store: Store): Promise<void> {
  for (const prefix of ['b', 'c', 'i', 'x', 'a', 'f', 'y', 'l', 'r', 'g']) {
    const [from, to] = prefixRange(prefix);
    await store.compact(from, to);
  }
}
