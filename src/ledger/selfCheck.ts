import { decodeTransaction } from '../../contracts/transaction.ts';
import { equalBytes } from '../codec/utf8.ts';
import { tileWidth } from '../log/tiles.ts';
import { treeHasher } from './body.ts';
import { asDamage, damaged } from './damage.ts';
import { isClosing } from './header.ts';
import { envelopeOfLeaf } from './leaves.ts';
import type { LogTiles } from './logReader.ts';
import type { Store } from './store.ts';

/**
 * Does a stored block still say what it said? LevelDB reads its files without comparing checksums, and drops what it cannot read of
 * its newest one without a word, so the store is held against its own hashes: header against id and successor, log entries
 * against the tree, transactions and indexes against the entries.
 */
export type CheckedStore = { readonly store: Store; readonly log: LogTiles; readonly genesisHash: string };

/** So much is read again at every start: about what the database's newest file can hold, in less than a second. */
const recentBlocks = 1024;
const recentEntries = 8192;

/** Of one block that is held whole. @returns how many log entries it has @throws WeftError DATA_DAMAGED */
export function checkStoredBlock({ store, log, genesisHash }: CheckedStore, height: number): number {
  try {
    const block = store.block(height);
    if (block === undefined) throw damaged(`block ${height} is missing`);
    const { header, blockId, transactions } = block;
    if (header.height !== height) throw damaged(`at height ${height} stands the block of height ${header.height}`);
    if (store.heightOf(blockId) !== height) throw damaged(`block ${height} is not found by its id`);
    const parent = height === 1 ? genesisHash : store.block(height - 1)?.blockId;
    if (parent !== undefined && header.parent !== parent)
      throw damaged(`block ${height} does not follow the block before it`);
    if (isClosing(header) && block.certificate === undefined)
      throw damaged(`the finalization of block ${height}, which ended an epoch, is missing`);
    const { floor } = store;
    const from = height === 1 ? 1 : height === floor.height ? floor.logSize : store.header(height - 1)?.logSize;
    if (from === undefined) return 0;
    if (height === 1) checkEntries(store, log, 0, 0, 1);
    const found = checkEntries(store, log, height, from, header.logSize);
    if (from >= floor.entry && found !== transactions)
      throw damaged(`block ${height} has ${transactions} transactions, the log has ${found} of them`);
    return header.logSize - from;
  } catch (error) {
    throw asDamage(error);
  }
}

function checkEntries(store: Store, log: LogTiles, height: number, from: number, to: number): number {
  let transactions = 0;
  /** Of each account. */
  const firsts = new Map<string, number>();
  for (let index = from; index < to; index += 1) {
    if (index % tileWidth === tileWidth - 1) checkTiles(log, (index + 1) / tileWidth - 1);
    if (index < store.floor.entry) continue;
    const leaf = store.leaf(index);
    if (leaf === undefined) throw damaged(`log entry ${index} of block ${height} is missing`);
    const hash = log.leafHash(index);
    if (hash !== undefined && !equalBytes(hash, treeHasher.leafHash(leaf)))
      throw damaged(`log entry ${index} of block ${height} is not what the log's tree has`);
    const envelope = envelopeOfLeaf(leaf);
    if (envelope === undefined) continue;
    transactions += 1;
    const { txId, account } = decodeTransaction(envelope);
    const entry = store.tx(txId);
    if (entry?.height !== height || entry.index !== index)
      throw damaged(`transaction ${txId} of block ${height} is not found by its id`);
    const first = firsts.get(account) ?? index;
    firsts.set(account, first);
    if (!store.hasIndex(account, index, first))
      throw damaged(`transaction ${txId} of block ${height} is not found by its account`);
  }
  return transactions;
}

/** Each full tile's root stands in the tile above it, up to the tree's root, which was compared at the start. */
function checkTiles(log: LogTiles, n: number): void {
  for (let level = 0, at = n; ; level += 1, at = (at + 1) / tileWidth - 1) {
    if (log.tileHolds(level, at) === false) throw damaged(`tile ${at} of level ${level} is not what the tree has`);
    if (at % tileWidth !== tileWidth - 1) return;
  }
}

/** The newest blocks, up to `height`. @throws WeftError DATA_DAMAGED */
export function checkRecent(checked: CheckedStore, height: number): void {
  const lowest = Math.max(checked.store.floor.height, height - recentBlocks + 1);
  let entries = 0;
  for (let at = height; at >= lowest && entries < recentEntries; at -= 1) entries += checkStoredBlock(checked, at);
}
