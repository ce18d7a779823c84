import type { JournalRecord } from '../../consensus/types.ts';
import { WeftError } from '../codec/error.ts';
import { fromHex } from '../codec/hex.ts';
import type { Files } from './files.ts';
import { Journal } from './journal.ts';
import { decodeJournalEntry, encodeJournalBlock, encodeJournalRecord, type JournalEntry } from './journalRecords.ts';
import type { ConsensusJournal, JournalReplay } from './types.ts';

export type JournalBlock = { readonly header: Uint8Array; readonly body: Uint8Array };

/** Of a busy chain about half a second: so often a sync takes longer. */
const aheadBytes = 512 * 1024;

/** What the journal asks the ledger. */
export type JournalModules = {
  /** An executed block that is not finalized, with its height. */
  readonly unfinalized: (blockId: string) => (JournalBlock & { readonly height: number }) | undefined;
  readonly isFinalized: (blockId: string) => boolean;
  readonly finalizedHeight: () => number;
  /** The last record that was on the disk when the store was last committed; 0 when it does not know. */
  readonly recorded: number;
};

/** Consensus records and unfinalized blocks in one journal (W1). */
export class ChainJournal implements ConsensusJournal {
  readonly replay: JournalReplay;
  /** Blocks that the journal held when it was opened, in its order. */
  readonly blocks: readonly JournalBlock[];
  readonly #journal: Journal;
  readonly #modules: JournalModules;
  /** Ids of blocks in the present segment. */
  #held = new Set<string>();
  #epoch: number;
  /** Of the last restart by this process. */
  #begunEpoch = 0;

  private constructor(
    journal: Journal,
    modules: JournalModules,
    replay: JournalReplay,
    blocks: readonly JournalBlock[],
  ) {
    this.#journal = journal;
    this.#modules = modules;
    this.replay = replay;
    this.blocks = blocks;
    this.#epoch = replay.epoch;
  }

  static async open(files: Files, folder: string, genesisHash: string, modules: JournalModules): Promise<ChainJournal> {
    const opened = await Journal.open(files, folder, fromHex(genesisHash, 32), aheadBytes);
    const { journal, tornBytes } = opened;
    const entries: JournalEntry[] = [];
    let state: JournalReplay['state'] = opened.state;
    try {
      for (const payload of opened.payloads) entries.push(decodeJournalEntry(payload));
    } catch {
      // Its checksum holds and nobody can read it: as good as lost, and treated so (W11).
      state = 'damaged';
    }
    const first = entries[0];
    if (first !== undefined && (first.kind !== 'record' || first.record.kind !== 'floor')) state = 'damaged';
    const records = entries.flatMap((entry) => (entry.kind === 'record' ? entry.record : []));
    const blocks = entries.flatMap((entry) => (entry.kind === 'block' ? entry : []));
    const epoch = first?.kind === 'record' ? (first.epoch ?? 0) : 0;
    // Whole as it is, it is an older one, or one that lost its end (W11).
    const rolledBack = state === 'complete' && journal.durable < modules.recorded;
    await journal.continueAbove(modules.recorded);
    return new ChainJournal(journal, modules, { state, epoch, records, tornBytes, rolledBack }, blocks);
  }

  /** What is appended belongs to this epoch. */
  get epoch(): number {
    return this.#epoch;
  }

  /** The last record that is on the disk. */
  get durable(): number {
    return this.#journal.durable;
  }

  get bytes(): number {
    return this.#journal.bytes;
  }

  appendRecord(record: JournalRecord): void {
    // W1: a vote for a block leaves only when that block survives with it. (Of a branch that lost nothing need survive.)
    if (record.kind === 'notarized' && record.block.height > this.#modules.finalizedHeight()) {
      const { id } = record.block;
      if (!this.#held.has(id)) throw new WeftError('BLOCK_UNKNOWN', `A vote for block ${id}, which was not kept (W1).`);
    }
    this.#journal.append(encodeJournalRecord(record, this.#epoch));
  }

  appendBlock(blockId: string): void {
    if (this.#held.has(blockId)) return;
    const block = this.#modules.unfinalized(blockId);
    if (block === undefined) {
      // The store holds it: durable already.
      if (this.#modules.isFinalized(blockId)) return;
      throw new WeftError('BLOCK_UNKNOWN', `Block ${blockId} is not executed here, so it cannot be kept.`);
    }
    this.#journal.append(...encodeJournalBlock(block.header, block.body));
    this.#held.add(blockId);
  }

  /** After a start: this block of the replay is executed again and stands in the present segment. */
  recovered(blockId: string): void {
    this.#held.add(blockId);
  }

  sync(): Promise<void> {
    return this.#journal.sync();
  }

  restart(epoch: number, live: readonly JournalRecord[]): Promise<void> {
    const [floor, ...rest] = live;
    if (floor?.kind !== 'floor') throw new WeftError('JOURNAL_FLOOR', 'The first record of a journal is its floor.');
    if (floor.floor.block.height > this.#modules.finalizedHeight()) {
      throw new WeftError('JOURNAL_FLOOR', 'The floor is above what the store holds (W1): commit first.');
    }
    if (epoch < this.#begunEpoch) {
      throw new WeftError('JOURNAL_EPOCH', `The journal is in epoch ${this.#begunEpoch}; ${epoch} is over.`);
    }
    this.#begunEpoch = epoch;
    const blocks = [...this.#held]
      .flatMap((blockId) => {
        const block = this.#modules.unfinalized(blockId);
        return block === undefined ? [] : { blockId, ...block };
      })
      .sort((a, b) => a.height - b.height);
    this.#held = new Set(blocks.map(({ blockId }) => blockId));
    this.#epoch = epoch;
    return this.#journal.restart([
      encodeJournalRecord(floor, epoch),
      ...blocks.map(({ header, body }) => encodeJournalBlock(header, body)),
      ...rest.map((record) => encodeJournalRecord(record, epoch)),
    ]);
  }

  close(): Promise<void> {
    return this.#journal.close();
  }
}
