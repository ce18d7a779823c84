// The shapes that go in and out of the engine. Everything here is plain data: integers, strings, bytes, arrays, objects.
// The rules behind it are in README.md; `Wn` and `Sn` in comments name them.

/** A validator's index in the epoch's validator list (sorted by name): its bit in a certificate. */
export type ValidatorIndex = number;

/** Opaque to the engine (lower-case hex in the node). Equal ids are equal blocks, header and body. */
export type BlockId = string;

/** What a nullify vote is about. Epochs and views count from 1; view 0 is the floor of an epoch. */
export type Round = { epoch: number; view: number };

/** What notarize and finalize votes are about. `parentView` is the view in which the parent was certified or finalized. */
export type Proposal = { epoch: number; view: number; parentView: number; blockId: BlockId };

export type NotarizeVote = { kind: 'notarize'; subject: Proposal; signer: ValidatorIndex; signature: Uint8Array };
export type NullifyVote = { kind: 'nullify'; subject: Round; signer: ValidatorIndex; signature: Uint8Array };
export type FinalizeVote = { kind: 'finalize'; subject: Proposal; signer: ValidatorIndex; signature: Uint8Array };
export type Vote = NotarizeVote | NullifyVote | FinalizeVote;
export type VoteKind = Vote['kind'];

/** q votes of one kind on one subject. `signers` ascends strictly; `signatures[i]` is that of `signers[i]`; both have exactly q entries. */
type Signed = { signers: readonly ValidatorIndex[]; signatures: readonly Uint8Array[] };
export type Notarization = Signed & { kind: 'notarize'; subject: Proposal };
export type Nullification = Signed & { kind: 'nullify'; subject: Round };
export type Finalization = Signed & { kind: 'finalize'; subject: Proposal };
export type Certificate = Notarization | Nullification | Finalization;

/** What the engine must know of a block. Everything comes from the header, except `empty` (the body holds no transaction). */
export type BlockFacts = {
  id: BlockId;
  parent: BlockId;
  height: number;
  /** Epoch and view of the *first* proposal; a re-proposed closing block keeps them (W9). */
  epoch: number;
  view: number;
  proposer: ValidatorIndex;
  /** Integer milliseconds UTC. */
  time: number;
  /** `nextValidators` ≠ `validators` (W10). */
  closing: boolean;
  /** No transaction (W6). */
  empty: boolean;
};

/**
 * Where an engine starts: the last finalized block that is durably committed to the store. At the start of an epoch:
 * view 0, the closing block of the epoch before (or genesis), no certificate.
 */
export type Floor = { view: number; block: BlockFacts; certificate?: Finalization };

/** All in milliseconds. `checkConfig` asserts the inequalities. */
export type Timings = {
  /** From the moment there is work until the leader's proposal must be here. > 0, ≥ 2 × blockIntervalMs. */
  leaderTimeoutMs: number;
  /** From the same moment until the proposal must be certified. > leaderTimeoutMs. */
  certificationTimeoutMs: number;
  /** Between re-sendings of votes that have had no effect yet. > 0, < skipMs. */
  retryMs: number;
  /** Between questions for one missing thing. > 0. */
  fetchMs: number;
  /** Silence after which a leader is skipped, and length of the first skip. > certificationTimeoutMs, ≥ 3 × idleBlockMs. */
  skipMs: number;
  /** Time without work after which the leader proposes an empty block. > leaderTimeoutMs. */
  idleBlockMs: number;
  /** First wait for finalize votes before an empty successor is proposed (W6). > 0, ≤ leaderTimeoutMs / 2. */
  finalizeGraceMs: number;
  /** Silence of the current leader after which an idle view is nullified (W7). > 0. */
  leaderSilentMs: number;
  /** Least time between a block's proposal and its successor's (W8). ≥ 0. */
  blockIntervalMs: number;
  /** How far a block's time may be ahead of this node's wall clock (W4). ≥ 0. */
  maxClockDriftMs: number;
};

export type Config = {
  epoch: number;
  /** Number of validators, 1..128 (W2). */
  validators: number;
  /** Own index; absent = observer: follows certificates and blocks, never votes, builds or proposes. */
  me?: ValidatorIndex;
  /** A permutation of 0..validators−1; Leader(view) = leaderOrder[(view − 1) mod n] (W3). */
  leaderOrder: readonly ValidatorIndex[];
  floor: Floor;
  timings: Timings;
  /** Views kept below the last finalized one, for late votes and evidence (W13). > 0. */
  retentionViews: number;
};

/**
 * Makes this validator's signature, at once. The engine calls it only after the rules allowed the vote; the vote is
 * journaled in the same step and leaves after the sync.
 */
export type Sign = (kind: VoteKind, subject: Proposal | Round) => Uint8Array;

/** `pending`: not yet known. With `retryAtWallMs` the engine asks again at that wall time; without, the shell answers again by itself. */
export type Verdict = 'valid' | 'invalid' | { pending: true; retryAtWallMs?: number };

/** A reading of both clocks, in milliseconds; the wall clock is UTC. */
export type Moment = { monotonicMs: number; wallMs: number };

/**
 * What enters `step`. One exception to what follows: a vote that `isDecided`, from the lane of its signer, may come unverified.
 * **Votes, certificates and proposals are given only after the shell verified them**: signatures by the
 * named signers' vote keys of this epoch under the right domain tag, certificates with exactly q ascending distinct signers,
 * indices < n, epoch = the engine's, lane owner = signer (except inside a relay), and `block.id` is the hash of the header
 * whose facts are given. The engine assumes no order and tolerates repetition.
 *
 * Time: only `tick` carries it, or the moment that goes along with another event and stands for a tick before it. The shell gives it before `start`, at each `wake`, and before a batch of other events;
 * events without one happen at the last tick's time.
 */
export type Event =
  /** Once, after the first tick: enters the current view, sends again what replay restored, asks W11's question. */
  | { type: 'start' }
  /** Monotonic clock (never goes back) for all timers; wall clock (UTC) for W4's check of block times only. */
  | ({ type: 'tick' } & Moment)
  | { type: 'vote'; vote: Vote }
  | { type: 'certificate'; certificate: Certificate }
  /** The leader's notarize vote with the facts of its block (`vote.subject.blockId` = `block.id`). The body may still be on its way: then `verify` is answered with pending. */
  | { type: 'proposal'; vote: NotarizeVote; block: BlockFacts }
  /** Answer to `verify`. */
  | { type: 'verified'; view: number; blockId: BlockId; verdict: Verdict }
  /** Answer to `certify`. 'invalid' halts the engine with STATE_DIVERGED (W4). */
  | { type: 'certified'; view: number; blockId: BlockId; verdict: Verdict }
  /** Answer to `build`. Without a block: nothing to propose; the engine then takes `work` as false until told again. */
  | { type: 'built'; view: number; block?: BlockFacts }
  /** A block asked for by `fetch` (or met otherwise) is here, header and body. Certificates asked for come as `certificate`. */
  | { type: 'fetched'; block: BlockFacts }
  /** Every journal record with sequence ≤ seq, and every block stored before it, is durable (W1). */
  | { type: 'journaled'; seq: number }
  /** A sign of life of a validator: any message or ping from it, or a ping of another that lists it (W3, W7). */
  | { type: 'heard'; peer: ValidatorIndex }
  /** `pending`: the mempool holds a transaction valid against the certified tip. `full`: targetBlockBytes are waiting (W8). Given on change. */
  | { type: 'work'; pending: boolean; full?: boolean }
  /** A lane to a validator was (re)connected; `finalizedView` from its hello. It is sent our votes above and our best certificates. */
  | { type: 'connected'; peer: ValidatorIndex; finalizedView: number }
  /** A validator has signed the log as it stood after the block of this height: it knows that block to be final (S3). May come outside of any batch; causes no effect. */
  | { type: 'cosigned'; peer: ValidatorIndex; height: number }
  /** A validator fetches a view (S8): answered by `send`. For observers the shell calls `answerView`. */
  | { type: 'request'; peer: ValidatorIndex; view: number }
  /** A starting validator asks for its own newest votes (W11): answered by `send` with `yourVotes`. */
  | { type: 'asked'; peer: ValidatorIndex }
  /** A peer's answer to our W11 question; only votes whose signature by our vote key in this epoch verified. */
  | { type: 'answered'; peer: ValidatorIndex; votes: readonly Vote[] }
  /** The finalized block of `view` and all its ancestors are durably in the store: the journal's floor may rise to it. Ascending. */
  | { type: 'committed'; view: number; block: BlockFacts };

/** What validators send each other. Block bytes travel by the shell: a `proposal` says which block must go along. */
export type Message =
  | { type: 'vote'; vote: Vote }
  | { type: 'certificate'; certificate: Certificate }
  | { type: 'proposal'; vote: NotarizeVote; block: BlockFacts }
  | { type: 'yourVotes'; votes: readonly Vote[] };

/**
 * What replay needs (README, "Journal"). Plain data; `packRecord` gives the array form for CBOR.
 * An own notarize vote carries the facts of its block, so that replay needs nothing but the records.
 */
export type JournalRecord =
  | { kind: 'vote'; vote: NullifyVote | FinalizeVote }
  | { kind: 'notarized'; vote: NotarizeVote; block: BlockFacts }
  | { kind: 'certificate'; certificate: Certificate }
  | { kind: 'certification'; view: number; block: BlockFacts; valid: boolean }
  | { kind: 'floor'; floor: Floor };

export type HaltCode =
  /** A notarized block does not execute to its roots here: our state is wrong (W4). Rebuild from a snapshot. */
  | 'STATE_DIVERGED'
  /** A peer holds a vote signed by our key that our journal does not (W11). Become an observer, rotate the vote key. */
  | 'JOURNAL_ROLLED_BACK'
  /** Two certificates that cannot both exist while at most f validators lie. Stop, keep both, call people. */
  | 'CERTIFICATES_CONFLICT';

/**
 * What `step` returns, in order. `journal` and `store` go into the shell's write queue at once. **Outward** effects
 * (`broadcast`, `send`, `fetch`, `epochEnded`, `evidence`) leave in order, each only when every `journal` and
 * `store` returned before it, in this or an earlier step, is durable (W1). All others are for the shell itself, at once.
 */
export type Effect =
  /** `seq` counts from 1 per engine, without gaps. */
  | { type: 'journal'; seq: number; record: JournalRecord }
  /** Header and body into the block file, ahead of the next journal record, same sync. At most once per block and engine. */
  | { type: 'store'; block: BlockFacts }
  | { type: 'broadcast'; message: Message }
  | { type: 'send'; peer: ValidatorIndex; message: Message }
  /** Build a block on `parent` and answer `built`. `mayBeEmpty`: an empty block is wanted if there is nothing else (W5, W6). */
  | { type: 'build'; view: number; parentView: number; parent: BlockFacts; mayBeEmpty: boolean }
  /** All of W4 except the clock, which the engine watches; answer `verified`. */
  | { type: 'verify'; view: number; block: BlockFacts }
  /** W4 for a notarized block; its parent is certified or finalized here. Answer `certified`. */
  | { type: 'certify'; view: number; block: BlockFacts }
  /** Ask each of `peers` for the certificates of a view, or for a block. The engine repeats it with other peers every fetchMs. A block that the shell holds already (block file, an earlier proposal) is answered with `fetched` without asking anybody. */
  | { type: 'fetch'; what: 'view'; view: number; peers: readonly ValidatorIndex[] }
  | { type: 'fetch'; what: 'block'; view: number; blockId: BlockId; peers: readonly ValidatorIndex[] }
  /** The block and all its ancestors are final. `block` is absent when the engine has never seen it; its body or an ancestor may be missing here even when it is present: then the shell catches up before it tells clients. Answer `committed` when durable. */
  | { type: 'finalized'; certificate: Finalization; block?: BlockFacts }
  /** The epoch's closing block is directly finalized (W10): this engine proposes and votes no more, it still answers peers. */
  | { type: 'epochEnded'; certificate: Finalization; block: BlockFacts }
  /** Two signed messages that no honest validator sends (W12); once per offender, view and kind of offence. */
  | { type: 'evidence'; offender: ValidatorIndex; a: Vote; b: Vote }
  /** When the next tick is needed at the latest (monotonic ms). Replaces the wake before it; absent: none needed. */
  | { type: 'wake'; atMs?: number }
  /** W11 is settled: this engine votes from now on. Until then the shell keeps asking the validators that have not answered. */
  | { type: 'voting' }
  /** Everything stops; the engine ignores all later events. `evidence`: what it saw. */
  | { type: 'halt'; code: HaltCode; view: number; detail: string; evidence: readonly (Vote | Certificate)[] };

export type EffectType = Effect['type'];

/** A broken contract between shell and engine, or a bug: never bad input from a peer. */
export class ConsensusAssertion extends Error {
  override name = 'ConsensusAssertion';
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new ConsensusAssertion(message);
}
