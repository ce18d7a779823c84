import { observersOf } from '../ledger/epochState.ts';
import type { Genesis } from '../ledger/genesis.ts';
import { decodeHeader, isClosing } from '../ledger/header.ts';
import type { JournalReport } from '../ledger/journalReport.ts';
import type { StoreReport } from '../ledger/storeReport.ts';
import type { Config } from './config.ts';
import type { SignState } from './signState.ts';

/**
 * A network that began with one validator may have grown since, and the genesis document does not say so. Alone on the chain of
 * genesis, its first validator would be a quorum: it would make block 1 again. So whatever lies around it is asked how far the
 * network has come.
 */

/** Nodes of `peer.peers` that genesis does not list, where it lists one validator: those came later. */
export function unknownToGenesis(genesis: Genesis, config: Pick<Config, 'name' | 'peer'>): readonly string[] {
  const { validators } = genesis.epoch;
  if (validators.length !== 1) return [];
  const observers = observersOf({ get: (path) => genesis.changes.get(path) ?? undefined });
  const listed = new Set([config.name, ...[...validators, ...observers].map(({ name }) => name)]);
  return config.peer.peers.map(({ name }) => name).filter((name) => !listed.has(name));
}

/** The newest epoch of which store, journal or sign state know, one of them damaged or not. */
export function newestEpochOf(
  genesis: Genesis,
  store: Pick<StoreReport, 'state' | 'epoch' | 'notes'>,
  journal: JournalReport,
  signState: SignState,
): number {
  // A closing checkpoint, or a line of one, is of an epoch that is over.
  const over = [...store.notes.keys()].map((name) => Number(/^closing(?:-own)?\/([0-9]{1,15})$/.exec(name)?.[1] ?? 0));
  // The journal has a block before the store does (W1); a whole store knows whether it was finalized.
  if (store.state !== 'whole') over.push(...closedIn(journal));
  return Math.max(
    store.epoch.epoch,
    journal.epoch,
    signState.newestEpoch(genesis.genesisHash),
    ...over.map((epoch) => (epoch > 0 ? epoch + 1 : 0)),
  );
}

function closedIn({ records }: JournalReport): number[] {
  return records.flatMap(({ entry }) => {
    if (entry?.kind !== 'block') return [];
    try {
      const header = decodeHeader(entry.header);
      return isClosing(header) ? header.epoch : [];
    } catch {
      return [];
    }
  });
}
