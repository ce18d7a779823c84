import type { BlockFacts, Finalization, JournalRecord } from '../../consensus/types.ts';
import type { Transaction } from '../../contracts/types.ts';
import type { VerifyJob, VerifyRule } from '../crypto/verify.ts';
import type { Header } from './header.ts';
import type { Epoch } from './validatorSet.ts';

/** Whoever checks signatures: `VerifyPool` of src/crypto off the event loop, or inlineVerifier (prepare.ts) on it. */
export type SignatureVerifier = {
  verifyMany(jobs: readonly VerifyJob[], rule: VerifyRule): Promise<boolean[]>;
  /** The same at once, where it can and few are asked about; undefined: ask `verifyMany`. */
  verifyNow?(jobs: readonly VerifyJob[], rule: VerifyRule): boolean[] | undefined;
  /** By the consensus rule; ends at the first that does not hold. */
  verifyAll(jobs: readonly VerifyJob[]): Promise<boolean>;
};

/** A transaction that is decoded and whose signatures hold under the keys named in `keys`. */
export type PreparedTx = {
  readonly tx: Transaction;
  /** Under which it was decoded. A block of another one reads it again. */
  readonly ruleset: number;
  /** For each signature entry the name of its key (signingKeyName): what it was verified with, compared again at execution. */
  readonly keys: readonly string[];
};

/** `admission`: libsodium's answer alone, a refusal is local policy. `block`: ZIP 215, decides about blocks. */
export type PrepareMode = 'admission' | 'block';

export type TxOutcome = {
  readonly txId: string;
  /** Log index of its tx leaf; `records` leaves follow. */
  readonly index: number;
  readonly records: number;
  readonly refused?: string;
};

/** A block that was executed here on top of its parent and is kept until it is finalized or its branch is dropped. */
export type ExecutedBlock = {
  readonly blockId: string;
  readonly header: Header;
  readonly headerBytes: Uint8Array;
  readonly body: Uint8Array;
  readonly facts: BlockFacts;
  readonly transactions: readonly PreparedTx[];
  readonly outcomes: readonly TxOutcome[];
  /** Of the next block after it: another epoch iff this one is closing. */
  readonly nextEpoch: Epoch;
};

export type BuildContext = {
  readonly epoch: number;
  readonly view: number;
  /** Own index. */
  readonly proposer: number;
  /** max(now, parent.time + 1): W4's builder side; the builder raises it if it is too low. */
  readonly time: number;
};

export type BlockBuilder = {
  readonly parent: string;
  readonly time: number;
  /** Bytes of the encoded body so far. */
  readonly size: number;
  readonly count: number;
  /**
   * Executes the transaction on top of what was added. `full`: does not fit into this block, may fit the next one. Any
   * other code: would make the block invalid; transient codes are TX_NOT_YET_VALID and TX_UNPREPARED (keys changed).
   */
  tryAdd(prepared: PreparedTx): 'added' | 'full' | (string & {});
  /** Computes the roots. The block is held as executed: the builder does not execute its own block again (W8). */
  seal(): ExecutedBlock;
};

export type Checked =
  | { readonly verdict: 'valid'; readonly block: ExecutedBlock }
  /** No honest leader proposes it. `code` says why. */
  | { readonly verdict: 'invalid'; readonly code: string; readonly message: string }
  /** These bytes are not the body of this header: says nothing about the block; blame who sent them, ask another. */
  | { readonly verdict: 'wrong-body'; readonly code: string; readonly message: string }
  /** The parent is not executed here (yet): fetch it, ask again. */
  | { readonly verdict: 'missing-parent' };

export type Tip = {
  readonly blockId: string;
  /** Genesis has one too (genesis.ts), though its id is genesisHash. */
  readonly header: Header;
  readonly facts: BlockFacts;
  /** Absent for genesis. */
  readonly certificate: Finalization | undefined;
};

export type CommittedRecord = { readonly index: number; readonly leaf: Uint8Array; readonly type: string };
export type CommittedTx = TxOutcome & { readonly account: string; readonly type: string; readonly expires: number };

/** What subscribers and waiters are told, once it is durable. */
export type CommittedBlock = {
  readonly blockId: string;
  readonly header: Header;
  readonly facts: BlockFacts;
  /** Present if this very block was finalized directly. */
  readonly certificate: Finalization | undefined;
  readonly transactions: readonly CommittedTx[];
  /** All leaves of the block in order; the last is the block record. */
  readonly records: readonly CommittedRecord[];
};

export type StoredBlock = {
  readonly blockId: string;
  readonly header: Header;
  readonly headerBytes: Uint8Array;
  readonly transactions: number;
  /** The finalization of this very block, encoded, if one was seen. */
  readonly certificate: Uint8Array | undefined;
};

export type StoredTx = {
  readonly height: number;
  readonly time: number;
  readonly index: number;
  readonly records: readonly { readonly index: number; readonly leaf: Uint8Array }[];
  readonly expires: number;
  readonly refused?: string;
};

/** Consecutive blocks of one epoch and a finalization of the last: archive, block sync. All encoded. */
export type Run = {
  readonly headers: readonly Uint8Array[];
  readonly bodies: readonly Uint8Array[];
  readonly certificate: Uint8Array;
};

/**
 * A run as it travels between nodes: all headers and the finalization, which prove each other, and as many bodies as fit, from the
 * first header on. Each other body is bound by its header's txRoot and is asked for by itself.
 */
export type RunPart = Run;

/** What the journal held when the ledger was opened (W11). */
export type JournalReplay = {
  /** `absent`: no journal file at all. `damaged`: never vote with this vote key again in this epoch. */
  readonly state: 'absent' | 'complete' | 'damaged';
  /** Epoch that the records belong to; 0 when absent. */
  readonly epoch: number;
  /** In journal order, the floor first. */
  readonly records: readonly JournalRecord[];
  /** Bytes of a torn last batch that were cut off. */
  readonly tornBytes: number;
  /** Complete, and the store knows that it had more records: an old one was put back, or it lost its end. */
  readonly rolledBack: boolean;
};

/** The one journal (W1): consensus records and the unfinalized blocks they speak of. */
export type ConsensusJournal = {
  readonly replay: JournalReplay;
  /** Epoch that what is appended now belongs to: of the last restart, before it that of the replay. */
  readonly epoch: number;
  /** Bytes since the last compaction. */
  readonly bytes: number;
  appendRecord(record: JournalRecord): void;
  /** Header and body of an executed block. Idempotent. @throws WeftError BLOCK_UNKNOWN */
  appendBlock(blockId: string): void;
  /** Resolves when everything appended before the call is durable; calls share syncs. Rejects with DISK_FULL or DISK_FAILED, for ever after. */
  sync(): Promise<void>;
  /**
   * Rewrites the journal: the epoch's live records (`liveRecords(state)`, floor first) and the unfinalized blocks that it
   * held. The floor must be committed (W1). Also starts a new epoch's journal, or the first one. Resolves when durable.
   */
  restart(epoch: number, live: readonly JournalRecord[]): Promise<void>;
};
