import type { BlockFacts, Finalization } from '../../consensus/types.ts';
import type { Json, StateReader } from '../../contracts/types.ts';
import type { WeftError } from '../codec/error.ts';
import type { StateProof } from '../log/stateTree.ts';
import type { Files } from './files.ts';
import type { Genesis } from './genesis.ts';
import type { Header } from './header.ts';
import type { KeyValue } from './keyValue.ts';
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
  SignatureVerifier,
  StoredBlock,
  StoredTx,
  Tip,
} from './types.ts';
import type { Epoch } from './validatorSet.ts';

export type LedgerOptions = {
  /** Data folder: `store/` (Level), `journal/`. Made when absent. */
  readonly dir: string;
  /** Bytes of the genesis document. */
  readonly genesis: Uint8Array;
  readonly verifier?: SignatureVerifier;
  /** Seams for tests: what was not synced can be thrown away. */
  readonly files?: Files;
  readonly database?: KeyValue;
  /** `inspect`: a stopped node's data, nothing is written. */
  readonly readOnly?: boolean;
};

/**
 * The ledger of one node. Everything that is read is finalized and durable, unless it is asked for by the id of an
 * executed block. One writer: calls that change something queue up behind each other.
 */
export declare class Ledger {
  /** Opens the data folder, or makes it; re-executes the unfinalized blocks of the journal. @throws LEDGER_*, GENESIS_* */
  static open(options: LedgerOptions): Promise<Ledger>;
  readonly genesis: Genesis;
  readonly journal: ConsensusJournal;
  close(): Promise<void>;

  /** The last finalized block, durably committed. */
  get finalized(): Tip;
  /** Epoch of the next block after the finalized one. */
  get epoch(): Epoch;
  /** Any epoch up to the current one. */
  epochOf(epoch: number): Epoch | undefined;

  /** Facts of a header for the engine; `transactions` of its body. */
  factsOf(header: Header, transactions: number): BlockFacts;
  /** An executed, unfinalized block, or the finalized tip as parent. */
  executed(blockId: string): ExecutedBlock | undefined;
  /** True for executed blocks and the finalized tip: what can be built on. */
  canExtend(blockId: string): boolean;
  /** Header and body, from executed or stored blocks: to answer a fetch. */
  blockBytes(blockId: string): { readonly header: Uint8Array; readonly body: Uint8Array } | undefined;

  /** Decodes and verifies, in order; each answer is a prepared transaction or the error that refuses it. Keys come from the state after `parent` (default: the finalized tip). */
  prepare(envelopes: readonly Uint8Array[], mode: PrepareMode, parent?: string): Promise<(PreparedTx | WeftError)[]>;
  /** Undefined if the transaction could enter a block on `parent` (default: finalized tip) at `time`; else a code: TX_EXPIRED, TX_NOT_YET_VALID, TX_DUPLICATE, KEY_INACTIVE … Executes nothing. */
  admissible(prepared: PreparedTx, time: number, parent?: string): string | undefined;
  /** In the finalized history: its id is consumed. */
  seen(txId: string): boolean;

  /** @throws WeftError PARENT_UNKNOWN, EPOCH_MISMATCH */
  startBlock(parent: string, context: BuildContext): BlockBuilder;
  /** All of W4 except the clock (compare `header.time` with yours). A header that was checked before is not executed again. */
  check(header: Uint8Array | Header, body: Uint8Array): Promise<Checked>;

  /**
   * Finalizes the block and its unfinalized ancestors in one durable batch, drops what conflicts. Resolves in order of
   * calls, [] when already finalized. The caller verified the certificate. @throws BLOCK_UNKNOWN, FINALITY_CONFLICT, DISK_FAILED
   */
  commit(blockId: string, certificate: Finalization): Promise<CommittedBlock[]>;
  /**
   * Verifies and commits a run that starts at or below finalized height + 1 (what is known is skipped).
   * @throws RUN_INVALID (blame the sender), RUN_GAP (starts too high), STATE_DIVERGED (finalized by q, other roots here)
   */
  importRun(run: Run): Promise<CommittedBlock[]>;
  /** Blocks from `fromHeight` on, about `bytesMax` at most (at least one block, to the next finalization). Undefined: none finalized there. */
  exportRun(fromHeight: number, bytesMax: number): Run | undefined;

  block(heightOrId: number | string): StoredBlock | undefined;
  /** Encoded body of a stored block, rebuilt from the log. */
  body(height: number): Uint8Array | undefined;
  /** Decoded finalization of this very block. */
  certificate(height: number): Finalization | undefined;
  transaction(txId: string): StoredTx | undefined;
  /** The leaf as it stands, and the height of its block. */
  entry(index: number): { readonly leaf: Uint8Array; readonly height: number } | undefined;
  /** Finalized state. */
  readonly state: StateReader;
  stateProof(path: string): { readonly value: Json | undefined; readonly proof: StateProof; readonly height: number };
  /** RFC 6962 inclusion proof in the tree of `size` leaves (any size up to the finalized). */
  logProof(index: number, size: number): Uint8Array[];
  consistencyProof(oldSize: number, newSize: number): Uint8Array[];
  /** Root of the tree of `size` leaves. */
  logRoot(size: number): Uint8Array;
  /** `tile/…` and `tile/entries/…`, every size up to the finalized one. */
  tile(path: string): { readonly bytes: Uint8Array; readonly full: boolean } | undefined;
  /** Log indexes of records of a type, or of an account's transactions, ascending from `from`. */
  recordsOf(
    filter: { readonly type: string } | { readonly account: string },
    from: number,
    limit: number,
  ): Promise<number[]>;

  /**
   * Persists what the cosigner is about to sign. False for a smaller size than before or another root of the same size:
   * then nothing may be signed.
   */
  rememberCheckpoint(size: number, root: string): Promise<boolean>;
  /** Small values of the node that must survive (published checkpoint, retired signers): durable when resolved. Keys up to 64 ASCII characters. */
  putNote(name: string, value: Uint8Array): Promise<void>;
  note(name: string): Uint8Array | undefined;
}
