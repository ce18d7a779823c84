import type { Finalization } from '../../consensus/types.ts';
import { toHex } from '../codec/hex.ts';
import { equalBytes } from '../codec/utf8.ts';
import { sha256, sha256Text } from '../crypto/hash.ts';
import { Frontier } from '../log/frontier.ts';
import { type DigestText, StateTree, stateKeyText } from '../log/stateTree.ts';
import { treeHasher } from './body.ts';
import { decodeCertificate } from './certificate.ts';
import { asDamage, damaged } from './damage.ts';
import { epochFromState } from './epochState.ts';
import { factsOf } from './execute.ts';
import { type Genesis, genesisHeader } from './genesis.ts';
import { type Header, isClosing } from './header.ts';
import type { KeyValue } from './keyValue.ts';
import { LogTiles } from './logReader.ts';
import { CommittedState, Layer, type Position } from './overlay.ts';
import { checkRecent } from './selfCheck.ts';
import { lifetimeMax } from './snapshotWrite.ts';
import { StateWrites } from './stateValue.ts';
import { encodeEpoch, Store } from './store.ts';
import type { Tip } from './types.ts';
import { type UsedFilter, UsedIds } from './usedIds.ts';

export type OpenedStore = {
  readonly store: Store;
  readonly log: LogTiles;
  readonly tip: Tip;
  readonly position: Position;
  readonly genesisHeader: Header;
};

/** Where a chain stands before block 1, in memory. `hasTx`: as in `Ground`. */
export function genesisPosition(
  genesis: Genesis,
  hasTx: (txId: string, upToHeight: number) => boolean,
  used?: UsedFilter,
): Position {
  const state = new CommittedState();
  const writes = new StateWrites().add(genesis.changes);
  state.apply(writes.values);
  const tree = StateTree.empty(sha256, sha256Text).update(writes.hashes());
  const frontier = Frontier.empty(treeHasher).append(treeHasher.leafHash(genesis.leaf));
  return {
    blockId: genesis.genesisHash,
    header: genesisHeader(genesis, toHex(frontier.root()), toHex(tree.root())),
    nextEpoch: genesis.epoch,
    layer: new Layer(
      { state, height: 0, hasTx, ...(used === undefined ? {} : { used }) },
      undefined,
      new Map(),
      new Set(),
    ),
    tree,
    frontier,
  };
}

/**
 * Reads the finalized tip back: state and its tree, the log's frontier, the epoch; both roots must be those of the tip's header.
 * A new store gets genesis first. @throws WeftError DATA_*
 */
async function openStore(database: KeyValue, genesis: Genesis): Promise<OpenedStore> {
  const store = new Store(database, genesis.genesisHash);
  const hasTx = (txId: string, upToHeight: number): boolean =>
    (store.tx(txId)?.height ?? Number.POSITIVE_INFINITY) <= upToHeight;
  // In a new chain nothing is used.
  const beginning = genesisPosition(genesis, hasTx, new UsedIds(Number.NEGATIVE_INFINITY));
  let height = store.tipHeight();
  if (height === undefined) {
    await store.writeGenesis(
      { bytes: genesis.leaf, type: 'genesis', audience: '' },
      new StateWrites().add(genesis.changes),
      genesis.epoch,
    );
    height = 0;
  }
  if (height === 0) {
    const facts = factsOf(genesis.genesisHash, beginning.header, 0);
    const tip: Tip = { blockId: genesis.genesisHash, header: beginning.header, facts, certificate: undefined };
    return { store, log: LogTiles.open(store, 1), tip, position: beginning, genesisHeader: beginning.header };
  }
  const block = store.block(height);
  if (block === undefined) throw damaged(`block ${height}, the tip, is missing`);
  const { header, blockId, transactions } = block;
  const epoch = store.epoch(header.epoch);
  const nextEpoch = isClosing(header) ? store.epoch(header.epoch + 1) : epoch;
  if (epoch?.digest !== header.validators || nextEpoch?.digest !== header.nextValidators)
    throw damaged('an epoch is missing');

  const state = new CommittedState();
  const hashes: [DigestText, DigestText][] = [];
  for await (const run of store.state()) {
    for (const [path, canonical] of run) {
      state.load(path, canonical);
      hashes.push([stateKeyText(sha256Text, path), sha256Text(canonical)]);
    }
  }
  const tree = StateTree.empty(sha256, sha256Text).update(hashes);
  if (toHex(tree.root()) !== header.stateRoot) throw damaged('state does not have the root that the tip names');
  const log = LogTiles.open(store, header.logSize);
  const frontier = log.frontier();
  if (toHex(frontier.root()) !== header.logRoot) throw damaged('the log does not have the root that the tip names');

  const certificate =
    block.certificate && (decodeCertificate(block.certificate, epoch.validators.length) as Finalization);
  const tip: Tip = { blockId, header, facts: factsOf(blockId, header, transactions), certificate };
  // Filled from here on: what was final before is asked of the store until all of that has expired.
  const used = new UsedIds(header.time + lifetimeMax(header.epoch, store));
  const layer = new Layer({ state, height, hasTx, used }, undefined, new Map(), new Set());
  // The digests cover keys; what else an epoch says (accounts, addresses) stands in state, too.
  const said = encodeEpoch(epochFromState(layer, nextEpoch.epoch, genesis.genesisHash));
  if (!equalBytes(said, encodeEpoch(nextEpoch))) throw damaged('the epoch is not what state says');
  return {
    store,
    log,
    tip,
    position: { blockId, header, nextEpoch, layer, tree, frontier },
    genesisHeader: beginning.header,
  };
}

/**
 * As `openStore`, and its newest blocks are compared with their hashes; what cannot be read is damage.
 * @throws WeftError DATA_*
 */
export async function readStore(database: KeyValue, genesis: Genesis): Promise<OpenedStore> {
  try {
    const opened = await openStore(database, genesis);
    const { store, log, tip } = opened;
    checkRecent({ store, log, genesisHash: genesis.genesisHash }, tip.header.height);
    return opened;
  } catch (error) {
    throw asDamage(error);
  }
}
