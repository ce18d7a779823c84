import { dirname, join, resolve } from 'node:path';
import type { BlockFacts, Finalization } from '../../consensus/types.ts';
import { type RulesetSource, ruleset } from '../../contracts/rulesets.ts';
import type { Json, StateReader } from '../../contracts/types.ts';
import { decodeCbor, encodeCbor } from '../codec/cbor.ts';
import { WeftError } from '../codec/error.ts';
import { sha256 } from '../crypto/hash.ts';
import { type StateProof, stateKey } from '../log/stateTree.ts';
import { indexAudiences } from './audienceIndex.ts';
import { Chain } from './chain.ts';
import { ChainJournal } from './chainJournal.ts';
import { commitPath } from './commit.ts';
import { candidatesOf, type Observer, observersOf } from './epochState.ts';
import { factsOf } from './execute.ts';
import { type Files, nodeFiles } from './files.ts';
import type { Floor } from './floor.ts';
import { type Genesis, loadGenesis } from './genesis.ts';
import type { Header } from './header.ts';
import { History } from './history.ts';
import { type KeyValue, openLevel } from './keyValue.ts';
import type { LogTiles } from './logReader.ts';
import { inlineVerifier } from './prepare.ts';
import { compactPruned, pruneGoal, pruneSlice, type Retention } from './prune.ts';
import type { ProvenValue } from './recentStates.ts';
import { clearIncoming, settleIncoming } from './replaceStore.ts';
import { type OpenedStore, readStore } from './restart.ts';
import { type ImportTarget, importRun, RunImport, type RunSource, readBodies, readRun, readRunPart } from './runs.ts';
import { checkStoredBlock } from './selfCheck.ts';
import { type Captured, capture } from './snapshotWrite.ts';
import type { Store } from './store.ts';
import type {
  BlockBuilder,
  BuildContext,
  Checked,
  CommittedBlock,
  ConsensusJournal,
  ExecutedBlock,
  PreparedTx,
  PrepareMode,
  Run,
  RunPart,
  SignatureVerifier,
  StoredBlock,
  StoredTx,
  Tip,
} from './types.ts';
import type { Epoch } from './validatorSet.ts';
import { Writes } from './writes.ts';

/** Entries that whoever asks for them finds in memory, more or less: asking the disk on another thread would cost more than it saves. */
const writtenLately = 16_384;

export type LedgerOptions = {
  /** Data folder: `store/` (Level) and `journal/` are made in it. */
  readonly dir: string;
  /** Bytes of the genesis document, or what `loadGenesis` made of them. */
  readonly genesis: Uint8Array | Genesis;
  /** Default: on the event loop. */
  readonly verifier?: SignatureVerifier;
  /** Seam for tests. Default: the rulesets of this build. */
  readonly rulesets?: RulesetSource;
  /** Seams for tests: what was not synced can be thrown away. */
  readonly files?: Files;
  readonly database?: KeyValue;
};

/**
 * The ledger of one node. Everything that is read is finalized and durable, unless it is asked for by the id of an executed
 * block. Calls that change something on the disk queue up behind each other, in their order.
 */
export class Ledger {
  readonly genesis: Genesis;
  readonly #chain: Chain;
  readonly #store: Store;
  readonly #log: LogTiles;
  readonly #history: History;
  readonly #rulesets: RulesetSource;
  readonly #writes = new Writes();
  #journal: ChainJournal | undefined;
  #finalized: Tip;

  private constructor(genesis: Genesis, chain: Chain, opened: OpenedStore, rulesets: RulesetSource) {
    this.genesis = genesis;
    this.#chain = chain;
    this.#rulesets = rulesets;
    this.#store = opened.store;
    this.#log = opened.log;
    this.#finalized = opened.tip;
    this.#history = new History(opened.store, genesis.genesisHash, opened.genesisHeader);
  }

  /**
   * Opens the data folder, or makes it, and executes the unfinalized blocks of the journal again.
   * @throws WeftError GENESIS_*, RULESET_UNKNOWN, DATA_LOCKED, DATA_VERSION, DATA_OTHER_CHAIN, DATA_DAMAGED, STATE_DIVERGED
   */
  static async open(options: LedgerOptions): Promise<Ledger> {
    const rulesets = options.rulesets ?? ruleset;
    const genesis = options.genesis instanceof Uint8Array ? loadGenesis(options.genesis, rulesets) : options.genesis;
    const files = options.files ?? nodeFiles;
    if (options.database === undefined) {
      await files.makeFolder(options.dir);
      await files.syncFolder(dirname(resolve(options.dir)));
      await settleIncoming(options.dir);
    }
    const database = options.database ?? (await openLevel(join(options.dir, 'store')));
    try {
      if (options.database === undefined) await clearIncoming(options.dir);
      const opened = await readStore(database, genesis);
      await indexAudiences(opened.store);
      const chain = new Chain({
        genesis,
        verifier: options.verifier ?? inlineVerifier,
        tip: opened.position,
        rulesets,
      });
      const ledger = new Ledger(genesis, chain, opened, rulesets);
      await ledger.#openJournal(files, join(options.dir, 'journal'));
      return ledger;
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  async #openJournal(files: Files, folder: string): Promise<void> {
    const journal = await ChainJournal.open(files, folder, this.genesis.genesisHash, {
      unfinalized: (blockId) => {
        const block = this.#chain.executed(blockId);
        return block && { header: block.headerBytes, body: block.body, height: block.header.height };
      },
      isFinalized: (blockId) => this.#store.heightOf(blockId) !== undefined,
      finalizedHeight: () => this.#finalized.header.height,
      recorded: this.#store.journalRecords,
    });
    this.#journal = journal;
    for (const { header, body } of journal.blocks) {
      const checked = await this.#chain.check(header, body);
      if (checked.verdict === 'valid') journal.recovered(checked.block.blockId);
      else if (checked.verdict !== 'missing-parent') {
        // It was executed before it was kept. (A missing parent: finalized meanwhile, or its branch lost.)
        throw new WeftError(
          'STATE_DIVERGED',
          `A block of the journal no longer executes: ${checked.message}. This node's state is not that of the others: run weft recover --home DIR --rebuild-store.`,
        );
      }
    }
  }

  get journal(): ConsensusJournal {
    if (this.#journal === undefined) throw new WeftError('JOURNAL_NOT_STARTED', 'The ledger is not open.');
    return this.#journal;
  }

  /** Waits for writes that are under way. */
  async close(): Promise<void> {
    await this.#writes.close();
    await this.#journal?.close();
    await this.#store.close();
  }

  /** The last finalized block, durably committed. */
  get finalized(): Tip {
    return this.#finalized;
  }

  /** Epoch of the next block after the finalized one. */
  get epoch(): Epoch {
    return this.#chain.tip.nextEpoch;
  }

  /** Any epoch up to the current one. */
  epochOf(epoch: number): Epoch | undefined {
    return epoch === this.epoch.epoch ? this.epoch : this.#store.epoch(epoch);
  }

  /**
   * Whether this build can execute blocks of a ruleset. Without `epoch.ruleset` it stops here: everything about the next block
   * throws RULESET_UNKNOWN, what is finalized stays readable.
   */
  hasRuleset(version: number): boolean {
    return this.#rulesets(version) !== undefined;
  }

  /** Non-voting peers that finalized state permits. */
  get observers(): readonly Observer[] {
    return observersOf(this.state);
  }

  /** Peers that an open or approved proposal would make validators: they may connect, to be there when it takes effect. */
  get candidates(): readonly Observer[] {
    return candidatesOf(this.state);
  }

  /** Facts of a header for the engine; `transactions`: how many its body has. */
  factsOf(blockId: string, header: Header, transactions: number): BlockFacts {
    return factsOf(blockId, header, transactions);
  }

  /** An executed block that is not finalized. */
  executed(blockId: string): ExecutedBlock | undefined {
    return this.#chain.executed(blockId);
  }

  /** The finalized tip, or executed on top of it: what can be built on. */
  canExtend(blockId: string): boolean {
    return this.#chain.position(blockId) !== undefined;
  }

  /** Bytes of the bodies that are not final yet, up to this executed block. */
  unfinalizedBytes(blockId: string): number {
    return this.#chain.bytesUpTo(blockId);
  }

  /** Header and body, from executed or stored blocks: the answer to a fetch. */
  blockBytes(blockId: string): { readonly header: Uint8Array; readonly body: Uint8Array } | undefined {
    const executed = this.#chain.executed(blockId);
    if (executed !== undefined) return { header: executed.headerBytes, body: executed.body };
    return this.#history.bytes(blockId);
  }

  /**
   * Decodes and verifies. `admission`: each envelope's answer in order, the prepared transaction or what refuses it. `block`:
   * throws for the first reason. Keys are those of the state after `parent` (default: the finalized tip). `ids`: the envelopes' ids,
   * when the caller has computed them from these bytes.
   * @throws WeftError PARENT_UNKNOWN, VERIFY_* (the verifier is full)
   */
  prepare(
    envelopes: readonly Uint8Array[],
    mode: PrepareMode,
    parent: string = this.#chain.tip.blockId,
    ids?: readonly string[],
  ): Promise<(PreparedTx | WeftError)[]> {
    return this.#chain.prepare(envelopes, mode, parent, ids);
  }

  /** As `prepare` of mode `admission` on the finalized tip; few envelopes at once, where the verifier can. @throws WeftError, or rejects, as it */
  admit(
    envelopes: readonly Uint8Array[],
    ids: readonly string[],
  ): (PreparedTx | WeftError)[] | Promise<(PreparedTx | WeftError)[]> {
    return this.#chain.admit(envelopes, this.#chain.tip.blockId, ids);
  }

  /** Undefined if the transaction may stand in a block of `time` on `parent`, else the code (execute.ts, refusalOn). Executes nothing. */
  admissible(prepared: PreparedTx, time: number, parent: string = this.#chain.tip.blockId): string | undefined {
    return this.#chain.admissible(prepared, time, parent);
  }

  /** In the finalized history: its id is consumed. */
  seen(txId: string): boolean {
    return this.#store.hasTx(txId);
  }

  /** False: it is not, found out without a look at the disk. `expires`: of this transaction. */
  maySee(txId: string, expires: number): boolean {
    return this.#chain.tip.layer.ground.used?.mayHold(txId, expires) ?? true;
  }

  /** @throws WeftError PARENT_UNKNOWN, EPOCH_MISMATCH, RULESET_UNKNOWN */
  startBlock(parent: string, context: BuildContext): BlockBuilder {
    return this.#chain.startBlock(parent, context);
  }

  /**
   * All of W4 except the clock (compare `header.time` with yours). What was checked before is not executed again. Rejects only
   * with what says nothing about the block: VERIFY_*, POLICY_HOST_FAILED, RULESET_UNKNOWN.
   */
  check(header: Uint8Array | Header, body: Uint8Array): Promise<Checked> {
    return this.#chain.check(header, body);
  }

  /**
   * Finalizes the block and its unfinalized ancestors in one durable batch and drops what conflicts. Resolves in the order of
   * calls; [] when it was finalized before. The caller has verified the certificate. `cosigns`: it is about to cosign the log as it then
   * stands: that is remembered in the same batch (`rememberCheckpoint`).
   * Rejects with BLOCK_UNKNOWN, FINALITY_CONFLICT, CERTIFICATE_INVALID, DISK_FULL, DISK_FAILED (then for ever).
   */
  commit(blockId: string, certificate: Finalization, cosigns = false): Promise<CommittedBlock[]> {
    return this.#writes.add(() => this.#commit(blockId, certificate, cosigns));
  }

  async #commit(blockId: string, certificate: Finalization, cosigns: boolean): Promise<CommittedBlock[]> {
    if (certificate.subject.blockId !== blockId) {
      throw new WeftError('CERTIFICATE_INVALID', 'The certificate is of another block.');
    }
    const proposed = this.#chain.executed(blockId);
    // What is held as executed is not in the store.
    if (proposed === undefined && (blockId === this.genesis.genesisHash || this.#store.heightOf(blockId) !== undefined))
      return [];
    if (proposed !== undefined && proposed.header.height <= this.#finalized.header.height) {
      throw new WeftError('FINALITY_CONFLICT', `Two blocks of height ${proposed.header.height} are finalized.`);
    }
    const blocks = this.#chain.pathTo(blockId);
    const last = blocks.at(-1);
    if (last === undefined) return [];
    const target = {
      chain: this.#chain,
      store: this.#store,
      log: this.#log,
      writes: this.#writes,
      journalRecords: this.#journal?.durable,
      cosigned: cosigns ? this.#cosignedAfter(last.header) : undefined,
    };
    const committed = await commitPath(target, blocks, last, certificate);
    this.#finalized = { blockId, header: last.header, facts: last.facts, certificate };
    return committed;
  }

  /**
   * Verifies and commits a run that begins at or below finalized height + 1; blocks that are known are skipped.
   * Rejects with RUN_INVALID (blame the sender), RUN_GAP (begins too high), STATE_DIVERGED (finalized by q validators, and
   * executes to other roots here), FINALITY_CONFLICT (q validators finalized another chain), and as `check` and `commit` do.
   */
  importRun(run: Run): Promise<CommittedBlock[]> {
    return importRun(run, this.#importTarget());
  }

  /**
   * The same in steps, for a run whose bodies come one after the other: headers and certificate are verified here, the bodies
   * that `run` brings are not taken yet. Undefined when nothing of it is new. @throws as `importRun` rejects
   */
  beginRun(run: RunPart): RunImport | undefined {
    return RunImport.begin(run, this.#importTarget());
  }

  #importTarget(): ImportTarget {
    return {
      genesisHash: this.genesis.genesisHash,
      tip: () => this.#chain.tip,
      epochOf: (epoch) => this.epochOf(epoch),
      blockIdAt: (height) => (height === 0 ? this.genesis.genesisHash : this.#store.block(height)?.blockId),
      check: (header, body) => this.check(header, body),
      commit: (blockId, certificate) => this.commit(blockId, certificate),
    };
  }

  /**
   * Blocks from `fromHeight` on, to a finalization: as many as fit into about `bytesMax`, at least one, never beyond the end of
   * an epoch. Undefined when that height is not finalized.
   */
  exportRun(fromHeight: number, bytesMax: number): Run | undefined {
    return readRun(fromHeight, this.#finalized.header.height, bytesMax, this.#runSource());
  }

  /** The same for a peer: never more bodies than fit; the others are asked for with `bodies`. */
  exportRunPart(fromHeight: number, bytesMax: number, blocksMax?: number): RunPart | undefined {
    return readRunPart(fromHeight, this.#finalized.header.height, bytesMax, this.#runSource(), blocksMax);
  }

  /** Encoded bodies of finalized blocks, at most `count`, as many as fit into `bytesMax`, at least one. */
  bodies(fromHeight: number, count: number, bytesMax: number): Uint8Array[] | undefined {
    const upTo = this.#finalized.header.height;
    return readBodies(fromHeight, Math.min(count, upTo - fromHeight + 1), bytesMax, this.#runSource());
  }

  #runSource(): RunSource {
    return {
      block: (height) => (height < this.#store.floor.height ? undefined : this.#store.block(height)),
      body: (height) => this.body(height),
    };
  }

  /**
   * Reads a stored block again and holds it against its hashes (selfCheck.ts). @returns its log entries
   * @throws WeftError DATA_DAMAGED
   */
  checkStored(height: number): number {
    return checkStoredBlock({ store: this.#store, log: this.#log, genesisHash: this.genesis.genesisHash }, height);
  }

  /** Genesis (height 0) has no header bytes. */
  block(heightOrId: number | string): StoredBlock | undefined {
    return this.#history.block(heightOrId);
  }

  /** The block that ended an epoch; undefined while it lasts. */
  closingBlock(epoch: number): StoredBlock | undefined {
    const height = this.#store.closingHeight(epoch);
    return height === undefined || height > this.#finalized.header.height ? undefined : this.#store.block(height);
  }

  /** Encoded body of a finalized block, rebuilt from the log. */
  body(height: number): Uint8Array | undefined {
    return this.#history.body(height);
  }

  /** The finalization of this very block, if one was seen. Each closing block has one. */
  certificate(height: number): Finalization | undefined {
    return this.#history.certificate(height);
  }

  transaction(txId: string): StoredTx | undefined {
    return this.#history.transaction(txId, this.#finalized.header.height);
  }

  /** A log entry as it stands, and the height of its block. */
  entry(index: number): { readonly leaf: Uint8Array; readonly height: number } | undefined {
    return this.#history.entry(index, this.#finalized.header);
  }

  /** A finalized log entry's bytes, where its height does not matter (to find that takes a search). */
  leaf(index: number): Uint8Array | undefined {
    return index < this.#finalized.header.logSize ? this.#store.leaf(index) : undefined;
  }

  /**
   * What `leaf` of an old entry and, with `proof`, `logProof` of it take from the disk: into memory, off the event loop, for whoever then
   * asks at once. A disk may need milliseconds for it, in which no vote would be sent. Never fails.
   */
  async warm(index: number, proof: boolean): Promise<void> {
    if (Number.isSafeInteger(index) && index >= 0 && index < this.#finalized.header.logSize - writtenLately)
      await this.#store.warm(index, proof);
  }

  /** Finalized state. */
  get state(): StateReader {
    return this.#chain.tip.layer;
  }

  /** Against `finalized.header.stateRoot`. @throws WeftError STATE_PATH_INVALID */
  stateProof(path: string): { readonly value: Json | undefined; readonly proof: StateProof; readonly height: number } {
    const { layer, tree, header } = this.#chain.tip;
    return { value: layer.get(path), proof: tree.prove(stateKey(sha256, path)), height: header.height };
  }

  /**
   * The same as of the finalized block with which the log had this size, all paths under one state root; undefined when that block is
   * none of the newest (recentStates.ts). @throws WeftError STATE_PATH_INVALID
   */
  stateProofsAt(logSize: number, paths: readonly string[]): ProvenValue[] | undefined {
    return this.#chain.states.prove(logSize, paths);
  }

  /** RFC 6962 inclusion proof, leaf's sibling first, in the tree of `size` leaves. @throws WeftError LOG_INDEX_OUT_OF_RANGE */
  logProof(index: number, size: number): Uint8Array[] {
    return this.#log.inclusion(index, size);
  }

  /** @throws WeftError LOG_INDEX_OUT_OF_RANGE */
  consistencyProof(oldSize: number, newSize: number): Uint8Array[] {
    return this.#log.consistency(oldSize, newSize);
  }

  /** @throws WeftError LOG_INDEX_OUT_OF_RANGE */
  logRoot(size: number): Uint8Array {
    return this.#log.root(size);
  }

  /** `tile/…` and `tile/entries/…`, without a leading slash, of every size up to the finalized one. */
  tile(path: string): { readonly bytes: Uint8Array; readonly full: boolean } | undefined {
    return this.#log.file(path);
  }

  /** Log indexes of the records of a type, or of an account's transactions, ascending from `from`, at most `limit`. */
  recordsOf(
    filter: { readonly type: string } | { readonly account: string },
    from: number,
    limit: number,
  ): Promise<number[]> {
    return 'type' in filter
      ? this.#store.indexes('type', filter.type, from, limit)
      : this.#store.indexes('account', filter.account, from, limit);
  }

  /** Log indexes of the last records of a type, newest first; those below `before`, if it is given. */
  newestRecords(type: string, limit: number, before = Number.MAX_SAFE_INTEGER): Promise<number[]> {
    return this.#store.newest('type', type, before, limit);
  }

  /** Log indexes of the last decisions about intents that are for an account, newest first, below `before`. */
  newestDecisionsFor(audience: string, limit: number, before = Number.MAX_SAFE_INTEGER): Promise<number[]> {
    return this.#store.newest('audience', audience, before, limit);
  }

  /**
   * Makes durable what the cosigner is about to sign. False for a smaller size than before, or another root of the same size:
   * then nothing may be signed.
   */
  rememberCheckpoint(size: number, root: string): Promise<boolean> {
    return this.#writes.add(async () => {
      const [oldSize, oldRoot] = this.#cosigned();
      if (size < oldSize || (size === oldSize && root !== oldRoot)) return false;
      if (size === oldSize) return true;
      await this.#writes.disk(() => this.#store.putMeta('cosigned', encodeCbor([size, root])));
      return true;
    });
  }

  /** Size and root of the last that was, or was about to be, signed. */
  #cosigned(): readonly [size: number, root: string] {
    const kept = this.#store.meta('cosigned');
    return kept === undefined ? [-1, ''] : (decodeCbor(kept, { bytesMax: 128 }) as [number, string]);
  }

  /** The same write as the block's instead of one of its own; never back to less. */
  #cosignedAfter({ logSize, logRoot }: Header): Uint8Array | undefined {
    return logSize > this.#cosigned()[0] ? encodeCbor([logSize, logRoot]) : undefined;
  }

  /** A small value of the node that must survive; durable when resolved. */
  putNote(name: string, value: Uint8Array): Promise<void> {
    return this.#writes.add(() => this.#writes.disk(() => this.#store.putMeta(`note/${name}`, value)));
  }

  /** The last record of the journal that was on the disk at the last commit; 0 where that is not known. */
  get journalRecords(): number {
    return this.#store.journalRecords;
  }

  note(name: string): Uint8Array | undefined {
    return this.#store.meta(`note/${name}`);
  }

  /** What of the past is held here. */
  get floor(): Floor {
    return this.#store.floor;
  }

  /**
   * Takes away one slice of what is older than `retention` and below the snapshot of this height (prune.ts).
   * @returns how many keys went; 0 when there is nothing more to take
   */
  prune(retention: Retention, snapshot: number): Promise<number> {
    return this.#writes.add(async () => {
      const tip = this.#store.block(this.#finalized.header.height);
      const goal = tip && pruneGoal(this.#store, tip, retention, snapshot);
      const slice = goal && pruneSlice(this.#store, goal);
      if (slice === undefined) return 0;
      await this.#writes.disk(() => this.#store.write(slice.ops, slice.floor));
      return slice.ops.length;
    });
  }

  /** Gives the disk back. Takes a while, off the event loop. */
  compactPruned(): Promise<void> {
    return compactPruned(this.#store);
  }

  /** The finalized block and the state after it, held still for a snapshot while the chain goes on. */
  capture(): Promise<Captured> {
    const { genesis } = this;
    return this.#writes.add(() => capture(genesis, this.#store, this.#log, this.#finalized.header.height));
  }
}
