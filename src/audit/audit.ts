import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import type { RulesetSource } from '../../contracts/rulesets.ts';
import { codeOf, WeftError } from '../codec/error.ts';
import { equalBytes } from '../codec/utf8.ts';
import { startNative } from '../crypto/ed25519.ts';
import {
  type ArchiveIndex,
  type ArchiveItem,
  archivePieces,
  checkArchiveHash,
  readArchive,
} from '../ledger/archive.ts';
import { Chain } from '../ledger/chain.ts';
import { checkpointBlocksMax } from '../ledger/exportArchive.ts';
import { type Genesis, loadGenesis } from '../ledger/genesis.ts';
import { isClosing } from '../ledger/header.ts';
import { inlineVerifier, signatureInvalid } from '../ledger/prepare.ts';
import { genesisPosition } from '../ledger/restart.ts';
import { decodeRun, verifyRunEnd } from '../ledger/runs.ts';
import type { Run, SignatureVerifier } from '../ledger/types.ts';
import { type Boundary, type CheckedCheckpoint, checkCheckpoint } from './checkpoint.ts';
import { type LaterOptions, LaterVerifier } from './laterVerifier.ts';
import { UsedExactly } from './usedExactly.ts';

/** Of an archive that is checked before threads have started. */
const smallBytes = 256 * 1024;

export type AuditOptions = {
  /** Bytes of the genesis document that the archive must begin with. Without, it is the archive's word what network this is. */
  readonly genesis?: Uint8Array;
  /** Default: threads of its own, or this thread for a small archive. */
  readonly verifier?: SignatureVerifier;
  /** Threads that check signatures while this one executes, and checks what they cannot keep up with. Default: one for each other core. */
  readonly threads?: number;
  /** Seam for tests. Default: threads that run batchThread.ts. */
  readonly startThread?: LaterOptions<AuditReport>['startThread'];
  /** Seam for tests. Default: the rulesets of this build. */
  readonly rulesets?: RulesetSource;
  /** After each run: the height reached, bytes read and of how many. */
  readonly onProgress?: (progress: { readonly height: number; readonly bytes: number; readonly of: number }) => void;
};

export type AuditError = {
  readonly code: string;
  readonly message: string;
  /** `file`, `genesis`, `block 12`, `run 10-14`, `checkpoint`, `index`. */
  readonly where: string;
};

/** What was verified, up to the first error if there is one. */
export type AuditReport = {
  readonly ok: boolean;
  readonly chain: string | undefined;
  readonly genesisHash: string | undefined;
  /** Whether the genesis was one that the auditor brought along. */
  readonly genesisGiven: boolean;
  readonly height: number;
  readonly blocks: number;
  readonly transactions: number;
  /** Transactions that the ledger refused, with a record that says so. */
  readonly refused: number;
  /** Leaves that are no transactions: what contracts wrote, and block records. */
  readonly records: number;
  readonly epochs: number;
  readonly logSize: number;
  /** Hex. */
  readonly logRoot: string | undefined;
  readonly stateRoot: string | undefined;
  /** Closing checkpoints of epochs that are over, all of which hold; absent without any. */
  readonly closings?: number;
  readonly checkpoint: CheckedCheckpoint | undefined;
  readonly error?: AuditError;
};

/**
 * Replays an archive offline: every certificate, header, signature, policy decision and record, both roots after each block,
 * the checkpoint and the index. Needs nothing but the file and, to know which network it is, a genesis document.
 * Never rejects for what is in the file; codes are those of the ledger, or ARCHIVE_*, GENESIS_OTHER, CHECKPOINT_*, INDEX_WRONG.
 */
export async function auditArchive(file: string | Uint8Array, options: AuditOptions = {}): Promise<AuditReport> {
  const size = typeof file === 'string' ? (await stat(file)).size : file.length;
  const threads = options.threads ?? (size < smallBytes ? 0 : usualThreads());
  const later =
    options.verifier !== undefined || threads === 0
      ? undefined
      : new LaterVerifier({
          threads,
          failure: () => replay.report(errorAt(replay, signatureInvalid())),
          ...(options.startThread === undefined ? {} : { startThread: options.startThread }),
        });
  const replay: Replay = new Replay(later === undefined ? options : { ...options, verifier: later });
  const hash = new HashPass(file, size);
  try {
    // What is at hand is hashed in a moment. A file is hashed while the replay begins, which ends when the hash is found wrong.
    if (typeof file !== 'string') await hash.ended;
    const ended = await replayAll(file, size, replay, hash, options);
    const bad = await later?.settled();
    await hash.ended;
    // A damaged file is called that, and not a liar, whatever else was found in it.
    if (hash.failed instanceof WeftError) return new Replay(options).report(errorAt(undefined, hash.failed));
    if (hash.failed !== undefined) throw hash.failed;
    if (bad !== undefined) return bad;
    if (ended === undefined) return replay.report();
    if (!(ended.error instanceof WeftError)) throw ended.error;
    return replay.report(errorAt(replay, ended.error));
  } finally {
    await later?.close();
  }
}

/**
 * One for each core but that of execution, up to as many as execution keeps busy, each of which takes 25 MiB: by libsodium the signature
 * of a usual transaction costs several times what executing it does, by the native verifier less than that.
 */
function usualThreads(): number {
  return Math.max(1, Math.min(typeof startNative() === 'string' ? 4 : 2, availableParallelism() - 1));
}

/** What ended it before its end. */
async function replayAll(
  file: string | Uint8Array,
  size: number,
  replay: Replay,
  hash: HashPass,
  options: AuditOptions,
): Promise<{ readonly error: unknown } | undefined> {
  try {
    for await (const item of readArchive(archivePieces(file))) {
      if (hash.failed !== undefined) return undefined;
      await replay.take(item);
      if (item.kind === 'run') options.onProgress?.({ height: replay.height, bytes: item.offset, of: size });
    }
    return undefined;
  } catch (error) {
    return { error };
  }
}

/** The hash at the end of the file, beside whatever else is done. */
class HashPass {
  failed: unknown;
  readonly ended: Promise<void>;

  constructor(file: string | Uint8Array, size: number) {
    this.ended = checkArchiveHash(archivePieces(file), size).catch((error: unknown) => {
      this.failed = error;
    });
  }
}

function errorAt(replay: Replay | undefined, error: WeftError): AuditError {
  return { code: codeOf(error), message: error.message, where: replay?.where ?? 'file' };
}

class Replay {
  readonly #options: AuditOptions;
  #genesis: Genesis | undefined;
  #chain: Chain | undefined;
  readonly #boundaries = new Map<number, Boundary>();
  readonly #runs: { height: number; offset: number }[] = [];
  #checkpoint: CheckedCheckpoint | undefined;
  #closings = 0;
  #transactions = 0;
  #refused = 0;
  #records = 0;
  where = 'file';

  constructor(options: AuditOptions) {
    this.#options = options;
  }

  get height(): number {
    return this.#chain?.tip.header.height ?? 0;
  }

  async take(item: ArchiveItem): Promise<void> {
    switch (item.kind) {
      case 'genesis':
        return this.#begin(item.bytes);
      case 'run':
        return this.#replay(item.run, item.offset);
      case 'closing':
        return this.#checkClosing(item.epoch, item.note);
      case 'checkpoint':
        this.where = 'checkpoint';
        if (item.note !== undefined)
          this.#checkpoint = checkCheckpoint(item.note, this.#needGenesis(), this.#boundaries);
        this.where = 'file';
        return;
      case 'index':
        this.where = 'index';
        this.#compareIndex(item.index);
        this.where = 'file';
    }
  }

  report(error?: AuditError): AuditReport {
    const header = this.#chain?.tip.header;
    return {
      ok: error === undefined,
      chain: this.#genesis?.chain,
      genesisHash: this.#genesis?.genesisHash,
      genesisGiven: this.#options.genesis !== undefined,
      height: this.height,
      blocks: this.height,
      transactions: this.#transactions,
      refused: this.#refused,
      records: this.#records,
      epochs: header?.epoch ?? 0,
      logSize: header?.logSize ?? 0,
      logRoot: header?.logRoot,
      stateRoot: header?.stateRoot,
      ...(this.#closings === 0 ? {} : { closings: this.#closings }),
      checkpoint: this.#checkpoint,
      ...(error === undefined ? {} : { error }),
    };
  }

  #begin(bytes: Uint8Array): void {
    this.where = 'genesis';
    const genesis = loadGenesis(bytes, this.#options.rulesets);
    if (!equalBytes(genesis.bytes, bytes)) {
      throw new WeftError(
        'GENESIS_INVALID',
        'The genesis document of the archive is not in its canonical form (RFC 8785).',
      );
    }
    if (this.#options.genesis !== undefined) {
      const wanted = loadGenesis(this.#options.genesis, this.#options.rulesets);
      if (wanted.genesisHash !== genesis.genesisHash) {
        throw new WeftError(
          'GENESIS_OTHER',
          `The archive is of ${genesis.chain}; the given genesis document is of ${wanted.chain}.`,
        );
      }
    }
    this.#genesis = genesis;
    this.#chain = new Chain({
      genesis,
      verifier: this.#options.verifier ?? inlineVerifier,
      // Whatever the filter does not deny was used.
      tip: genesisPosition(genesis, () => true, new UsedExactly()),
      remembered: 0,
      ...(this.#options.rulesets === undefined ? {} : { rulesets: this.#options.rulesets }),
    });
    this.#records = 1;
    this.where = 'file';
  }

  async #replay(run: Run, offset: number): Promise<void> {
    const chain = this.#needChain();
    const { tip } = chain;
    this.where = `run after ${tip.header.height}`;
    const blocks = decodeRun(run);
    const first = blocks[0];
    const last = blocks.at(-1);
    if (first === undefined || last === undefined) return;
    this.where = `run ${first.header.height}-${last.header.height}`;
    if (first.header.height !== tip.header.height + 1 || first.header.parent !== tip.blockId) {
      throw new WeftError('RUN_INVALID', `Block ${first.header.height} does not follow block ${tip.header.height}.`);
    }
    verifyRunEnd(run.certificate, last.blockId, tip.nextEpoch, this.#needGenesis().genesisHash);
    this.#runs.push({ height: first.header.height, offset });
    for (const { header, headerBytes, body, blockId } of blocks) {
      this.where = `block ${header.height}`;
      const checked = await chain.check(headerBytes, body);
      if (checked.verdict === 'missing-parent')
        throw new WeftError('RUN_INVALID', 'Its parent is not the block before it.');
      if (checked.verdict !== 'valid') throw new WeftError(checked.code, checked.message);
      const block = chain.executed(blockId);
      if (block === undefined) throw new WeftError('BLOCK_UNKNOWN', 'The block was not kept: a defect of the audit.');
      chain.settle(block);
      this.#transactions += block.transactions.length;
      this.#refused += block.outcomes.filter(({ refused }) => refused !== undefined).length;
      this.#records += block.leaves.length - block.transactions.length;
      this.#boundaries.set(header.logSize, { root: header.logRoot, epoch: block.epoch, next: block.nextEpoch });
      const oldest = this.#boundaries.keys().next();
      if (this.#boundaries.size > checkpointBlocksMax && !oldest.done) this.#boundaries.delete(oldest.value);
    }
    this.where = 'file';
  }

  /** Of the block that ended just now, cosigned by those who leave with it. */
  #checkClosing(epoch: number, note: string): void {
    this.where = `closing checkpoint of epoch ${epoch}`;
    const { header } = this.#needChain().tip;
    const boundary = this.#boundaries.get(header.logSize);
    if (boundary === undefined || header.epoch !== epoch || !isClosing(header))
      throw new WeftError('CHECKPOINT_SIZE', `Block ${header.height} does not close epoch ${epoch}.`);
    const ended = { ...boundary, next: boundary.epoch };
    checkCheckpoint(note, this.#needGenesis(), new Map([[header.logSize, ended]]));
    this.#closings += 1;
    this.where = 'file';
  }

  #compareIndex(index: ArchiveIndex): void {
    const { logSize, height } = this.#needChain().tip.header;
    const same =
      index.height === height &&
      index.logSize === logSize &&
      index.transactions === this.#transactions &&
      index.runs.length === this.#runs.length &&
      index.runs.every((run, i) => run.height === this.#runs[i]?.height && run.offset === this.#runs[i]?.offset);
    if (!same) throw new WeftError('INDEX_WRONG', 'The index of the archive is not that of its content.');
  }

  #needGenesis(): Genesis {
    if (this.#genesis === undefined) throw new WeftError('ARCHIVE_INVALID', 'The archive does not begin with genesis.');
    return this.#genesis;
  }

  #needChain(): Chain {
    if (this.#chain === undefined) throw new WeftError('ARCHIVE_INVALID', 'The archive does not begin with genesis.');
    return this.#chain;
  }
}
