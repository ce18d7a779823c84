import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { toBase64Url } from '../codec/base64.ts';
import { decodeUtf8 } from '../codec/utf8.ts';
import { readPublicPart } from '../crypto/keyfile.ts';
import { nodeFiles } from '../ledger/files.ts';
import type { Genesis } from '../ledger/genesis.ts';
import { type JournalReport, readJournal } from '../ledger/journalReport.ts';
import { reportStore, type StoreReport } from '../ledger/storeReport.ts';
import type { Epoch, Validator } from '../ledger/validatorSet.ts';
import type { Config } from './config.ts';
import { newestEpochOf, unknownToGenesis } from './grown.ts';
import { SignState, type SignStateEntry, signStatePaths } from './signState.ts';
import { readStopMark, type StopMark } from './stopMark.ts';
import { networkGrown, refusalOf, voteKeyNote } from './voteKey.ts';

/** What lies in a stopped node's folders, and what is wrong with it: read for `weft recover`, without starting anything. */
export type HomeState = VoteState & {
  readonly config: Config;
  readonly genesis: Genesis;
  readonly store: StoreReport;
  readonly stopMark: StopMark | undefined;
  /** A rebuild of the store died between its two renames. */
  readonly halfRebuilt: boolean;
  /** Of all that lies here. Above the store's: the store is behind, or is none. */
  readonly newestEpoch: number;
  /** As far as anything here says, this node is the only validator of its network. */
  readonly alone: boolean;
};

export type VoteState = {
  readonly journal: JournalReport;
  /** This node's entry in the newest epoch that its store knows; undefined for one that observes. */
  readonly entry: Validator | undefined;
  /** Vote key in the key file that the epoch lists, or in `keys` where it lists neither. */
  readonly voteKey: Uint8Array;
  /** Vote key in `nextKeys`, when the epoch does not list it yet. */
  readonly nextVoteKey: Uint8Array | undefined;
  readonly signState: SignState;
  readonly beside: SignStateEntry | undefined;
  /** Why the vote key may not vote (voteKey.ts); '' when it may. */
  readonly refusal: string;
  /** The journal builds on more than the store holds. */
  readonly storeBehind: boolean;
};

export type Finding = {
  readonly code: string;
  /** What is wrong, in plain words. */
  readonly says: string;
};

/** @throws WeftError KEY_*, DATA_UNREADABLE */
export async function readHome(config: Config, genesis: Genesis): Promise<HomeState> {
  const [store, stopMark] = await Promise.all([
    reportStore(join(config.data, 'store'), genesis),
    readStopMark(config.data),
  ]);
  const { epoch, notes, height, journalRecords } = store;
  const words = { epoch, height, journalRecords, note: (name: string) => notes.get(name) };
  const votes = await readVoteState(config, genesis, words);
  const newestEpoch = newestEpochOf(genesis, store, votes.journal, votes.signState);
  // Without a whole store genesis speaks for it, and that is old.
  const sure =
    store.state === 'whole' || (!votes.signState.unreadable && unknownToGenesis(genesis, config).length === 0);
  return {
    config,
    genesis,
    store,
    stopMark,
    halfRebuilt: store.state === 'absent' && existsSync(join(config.data, 'store.new')),
    newestEpoch,
    alone: votes.entry !== undefined && epoch.validators.length === 1 && newestEpoch <= epoch.epoch && sure,
    ...votes,
  };
}

/** What the store knows: the epoch of the next block, the height of the last, the node's notes. */
export type StoreWords = {
  readonly epoch: Epoch;
  readonly height: number;
  readonly note: (name: string) => Uint8Array | undefined;
  /** The last record of the journal that was on the disk at the last commit. */
  readonly journalRecords: number;
};

/** Keys, journal and sign state, and what follows from them for the vote. @throws WeftError KEY_* */
export async function readVoteState(
  config: Config,
  genesis: Genesis,
  { epoch, height, note, journalRecords }: StoreWords,
): Promise<VoteState> {
  const paths = signStatePaths(config);
  const [journal, signState, present, next] = await Promise.all([
    readJournal(join(config.data, 'journal'), genesis.genesisHash),
    SignState.open(nodeFiles, paths.path, undefined, paths.others),
    voteKeyIn(config.keys),
    config.nextKeys === undefined ? undefined : voteKeyIn(config.nextKeys),
  ]);
  const entry = epoch.validators.find(({ name }) => name === config.name);
  const listsNext = next !== undefined && entry !== undefined && toBase64Url(entry.vote) === toBase64Url(next);
  const voteKey = listsNext ? next : present;
  const said = note(voteKeyNote(voteKey));
  const beside = signState.of(genesis.genesisHash, voteKey);
  const last = journal.records.findLast(({ chained }) => chained)?.sequence ?? 0;
  const found = {
    state: journal.state === 'foreign' ? 'damaged' : journal.state,
    epoch: journal.epoch,
    rolledBack: journal.state === 'complete' && last < journalRecords,
  };
  return {
    journal,
    entry,
    voteKey,
    nextVoteKey: listsNext ? undefined : next,
    signState,
    beside,
    refusal:
      entry === undefined
        ? ''
        : refusalOf(found, said === undefined ? '' : decodeUtf8(said), beside, epoch.epoch, {
            remembered: signState.remembers(genesis.genesisHash),
            outgrown: height === 0 && unknownToGenesis(genesis, config).length > 0,
          }),
    storeBehind: journal.state === 'complete' && (journal.epoch > epoch.epoch || journal.floorHeight > height),
  };
}

/** Nothing: the node starts, and votes if it is a validator. */
export function findingsOf(state: HomeState): Finding[] {
  const { store, journal, stopMark, refusal, storeBehind, config } = state;
  const findings: Finding[] = [];
  const add = (code: string, says: string): number => findings.push({ code, says });
  if (store.state === 'locked') add('DATA_LOCKED', `a process works on ${config.data}: stop that node first`);
  if (store.state === 'damaged') add(store.code, store.why);
  if (state.halfRebuilt) add('STORE_HALF_REBUILT', 'a rebuild of the store was cut off before its end');
  if (stopMark !== undefined) {
    add(stopMark.code, `this node stopped for good at height ${stopMark.height}: ${stopMark.detail}`);
  }
  if (state.signState.unreadable)
    add(
      'SIGN_STATE_UNREADABLE',
      `${state.signState.path}, or the one beside another key file, cannot be read, so every vote key counts as one that has signed`,
    );
  if (refusal !== networkGrown && outgrown(state)) add(networkGrown, grownWords(state));
  const why = refusal === networkGrown ? grownWords(state) : (refusals[refusal] ?? '');
  if (refusal !== '') {
    const journalIs = journal.state === 'absent' ? 'there is none' : `${journal.file} is ${journal.state}`;
    add(refusal, why.replace('JOURNAL', journalIs));
  } else if (storeBehind) {
    add(
      'STORE_BEHIND',
      `the journal builds on block ${journal.floorHeight}, the store ends at ${store.height}: the node follows without a vote until it is there`,
    );
  }
  return findings;
}

const refusals: Readonly<Record<string, string>> = {
  JOURNAL_LOST: 'this vote key has signed, and its journal is gone (JOURNAL): it must not vote again',
  JOURNAL_DAMAGED: 'the journal of this vote key is damaged (JOURNAL): it must not vote again',
  JOURNAL_ROLLED_BACK:
    'the other validators know votes of this key that its journal does not hold: it must not vote again',
};

/** Genesis lists one validator, and what lies here is of a later epoch than the store: nobody else can connect at genesis. */
export function outgrown({ genesis, store, newestEpoch }: HomeState): boolean {
  return (
    genesis.epoch.validators.length === 1 &&
    store.epoch.epoch === genesis.epoch.epoch &&
    newestEpoch > store.epoch.epoch
  );
}

function grownWords({ genesis, config, newestEpoch }: HomeState): string {
  const others = unknownToGenesis(genesis, config);
  const why =
    newestEpoch > genesis.epoch.epoch
      ? `epoch ${newestEpoch} has begun since`
      : `the configuration knows ${others.join(', ')}`;
  return `genesis lists this validator alone, and ${why}: the blocks come from the others, who can be reached only from a later state: weft start --snapshot FILE|URL, with a snapshot of a node that runs`;
}

async function voteKeyIn(path: string): Promise<Uint8Array> {
  const found = (await readPublicPart(path)).find(({ name }) => name === 'vote');
  return found?.publicKey ?? new Uint8Array(32);
}
