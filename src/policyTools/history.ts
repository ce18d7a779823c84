/**
 * The past of a chain, run again: from an archive, or from the log that a node serves. Whoever listens sees each policy
 * question in the state in which it was asked. Execution must give what was recorded (headers of an archive, records of a
 * log), so what is listened to is the recorded history and nothing else. Signatures and certificates are not verified:
 * that is `weft audit`.
 */
import { stat } from 'node:fs/promises';
import { LIMITS } from '../../contracts/limits.ts';
import { readEntries } from '../client/logEntries.ts';
import type { LogSource } from '../client/logSource.ts';
import { WeftError } from '../codec/error.ts';
import { decodeUtf8, equalBytes } from '../codec/utf8.ts';
import { type ArchiveItem, archivePieces, checkArchiveHash, readArchive } from '../ledger/archive.ts';
import { Chain } from '../ledger/chain.ts';
import { loadGenesis } from '../ledger/genesis.ts';
import { envelopeOfLeaf } from '../ledger/leaves.ts';
import type { Executed } from '../ledger/overlay.ts';
import type { Decider } from '../ledger/policyEngines.ts';
import { genesisPosition } from '../ledger/restart.ts';
import { decodeRun } from '../ledger/runs.ts';
import { takenAsVerified } from './takenAsVerified.ts';

/** Who listens. */
export type HistoryListener = {
  /** Asked for each transaction: whose answers stand for the set in force. It must answer what that set answers. */
  readonly decider: Decider;
  /** After each block; the next one waits for it. `done` of `of`: bytes of an archive, entries of a log. */
  readonly afterBlock?: (block: Executed, progress: Progress) => Promise<void> | void;
};

export type Progress = { readonly done: number; readonly of: number };

export type HistoryEnd = {
  readonly chain: string;
  readonly height: number;
  readonly transactions: number;
};

/**
 * @param file path or bytes of an archive (`weft export`)
 * @throws WeftError ARCHIVE_*, RUN_INVALID, and the codes by which a block does not hold
 */
export async function replayArchive(file: string | Uint8Array, listener: HistoryListener): Promise<HistoryEnd> {
  const size = typeof file === 'string' ? (await stat(file)).size : file.length;
  await checkArchiveHash(archivePieces(file), size);
  const replay = new Replay(listener);
  for await (const item of readArchive(archivePieces(file))) await takeItem(replay, item, size);
  return replay.end();
}

async function takeItem(replay: Replay, item: ArchiveItem, size: number): Promise<void> {
  if (item.kind === 'genesis') replay.begin(item.bytes);
  if (item.kind !== 'run') return;
  const { chain } = replay;
  for (const { headerBytes, body, blockId, header } of decodeRun(item.run)) {
    const checked = await chain.check(headerBytes, body);
    if (checked.verdict === 'missing-parent')
      throw new WeftError('RUN_INVALID', `Block ${header.height} does not follow block ${chain.tip.header.height}.`);
    if (checked.verdict !== 'valid')
      throw new WeftError(checked.code, `Block ${header.height} does not hold: ${checked.message}`);
    await replay.settle(blockId, { done: item.offset, of: size });
  }
}

/**
 * @param genesis bytes of the genesis document
 * @param size of the log: where a block ends
 * @throws WeftError HISTORY_DIFFERS (execution gives other records than the log holds), LOG_*, and those of the source
 */
export async function replayLog(
  source: LogSource,
  { genesis, size }: { readonly genesis: Uint8Array; readonly size: number },
  listener: HistoryListener,
): Promise<HistoryEnd> {
  const replay = new Replay(listener);
  const { leaf } = replay.begin(genesis);
  let leaves: Uint8Array[] = [];
  let done = 0;
  for await (const entries of readEntries(source, size)) {
    for (const entry of entries) {
      done += 1;
      if (done === 1) {
        if (!equalBytes(entry, leaf)) throw differs('entry 0 is not the genesis record of this network');
        continue;
      }
      leaves.push(entry);
      if (leaves.length > leavesOfBlockMax(replay)) throw differs('a block without end');
      const ended = blockRecordOf(entry);
      if (ended === undefined) continue;
      await takeLeaves(replay, leaves, ended, { done, of: size });
      leaves = [];
    }
  }
  if (leaves.length > 0) throw differs(`${size} is no size at which a block ends`);
  return replay.end();
}

function leavesOfBlockMax({ chain }: Replay): number {
  const { maxBlockTxs } = chain.tip.nextEpoch.consensus;
  return (maxBlockTxs + 1) * (1 + LIMITS.recordsPerTransactionMax);
}

type BlockRecord = { readonly height: number; readonly epoch: number; readonly time: number };

/** The log does not say who proposed a block in which view: no rule asks. So the blocks here have ids of their own. */
async function takeLeaves(
  replay: Replay,
  leaves: readonly Uint8Array[],
  { height, epoch, time }: BlockRecord,
  progress: Progress,
): Promise<void> {
  const { chain } = replay;
  const { blockId: parent, header } = chain.tip;
  const envelopes = leaves.map(envelopeOfLeaf).filter((envelope) => envelope !== undefined);
  const builder = chain.startBlock(parent, { epoch, view: header.view + 1, proposer: 0, time });
  for (const prepared of await chain.prepare(envelopes, 'block', parent)) {
    const answer = prepared instanceof WeftError ? prepared.code : builder.tryAdd(prepared);
    if (answer !== 'added') throw differs(`a transaction may not stand in block ${height}: ${answer}`);
  }
  const { blockId } = builder.seal();
  const made = chain.executed(blockId)?.leaves ?? [];
  const same =
    made.length === leaves.length &&
    made.every(({ bytes }, i) =>
      i === made.length - 1
        ? withoutParent(bytes) === withoutParent(leaves[i] ?? new Uint8Array(0))
        : equalBytes(bytes, leaves[i] ?? new Uint8Array(0)),
    );
  if (!same) throw differs(`execution of block ${height} gives other records than the log holds`);
  await replay.settle(blockId, progress);
}

/** What the block record says besides the id of the block before, which is not known here. */
function withoutParent(leaf: Uint8Array): string {
  return decodeUtf8(leaf).replace(/"parent":"[0-9a-f]{64}"/, '');
}

function blockRecordOf(leaf: Uint8Array): BlockRecord | undefined {
  // `{"type":"block"`: most leaves need not be read to know that they are none.
  if (leaf[9] !== 0x62 || leaf[13] !== 0x6b || leaf[14] !== 0x22) return undefined;
  const { type, height, epoch, time } = recordOf(leaf);
  if (type !== 'block') return undefined;
  if (isCount(height) && isCount(epoch) && isCount(time)) return { height, epoch, time };
  throw differs('a block record without height, epoch and time');
}

function recordOf(leaf: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(decodeUtf8(leaf)));
  } catch {
    throw differs('an entry is no JSON');
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

class Replay {
  readonly #listener: HistoryListener;
  #chain: Chain | undefined;
  #name = '';
  #transactions = 0;

  constructor(listener: HistoryListener) {
    this.#listener = listener;
  }

  begin(genesisBytes: Uint8Array): { readonly leaf: Uint8Array } {
    const genesis = loadGenesis(genesisBytes);
    this.#name = genesis.chain;
    this.#chain = new Chain({
      genesis,
      verifier: takenAsVerified,
      // The quorum that finalized the blocks saw to it that no id stands in two of them.
      tip: genesisPosition(genesis, () => false),
      decider: this.#listener.decider,
    });
    return genesis;
  }

  get chain(): Chain {
    if (this.#chain === undefined) throw new WeftError('ARCHIVE_INVALID', 'The archive does not begin with genesis.');
    return this.#chain;
  }

  async settle(blockId: string, progress: Progress): Promise<void> {
    const block = this.chain.executed(blockId);
    if (block === undefined) throw new WeftError('BLOCK_UNKNOWN', 'The block was not kept: a defect of the replay.');
    this.chain.settle(block);
    this.#transactions += block.transactions.length;
    await this.#listener.afterBlock?.(block, progress);
  }

  end(): HistoryEnd {
    return { chain: this.#name, height: this.chain.tip.header.height, transactions: this.#transactions };
  }
}

function differs(why: string): WeftError {
  return new WeftError('HISTORY_DIFFERS', `The past cannot be run again as it was recorded: ${why}.`);
}
