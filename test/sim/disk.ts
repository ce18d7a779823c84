// A machine's journal and block file: what was written is durable only after a sync; a crash keeps a prefix of the rest, and
// may leave the record after it torn.
import { viewOfRecord } from '../../consensus/journal.ts';
import type { JournalRecord, Vote } from '../../consensus/types.ts';
import type { SimBlock } from './ledger.ts';
import type { DiskView } from './oracle.ts';

export type Frame = { epoch: number; record: JournalRecord; torn?: boolean };
type Written = { frame: Frame } | { block: SimBlock } | { restart: Frame };
export type Write = { number: number } & Written;

export type Disk = DiskView & {
  journal: Frame[];
  /** The block file. */
  blocks: Map<string, SimBlock>;
  pending: Write[];
  written: number;
  durable: number;
  write(what: Written): void;
  /** Everything written up to `number` is durable. */
  syncTo(number: number): void;
  /** Power loss: of what was not synced the first `kept` writes survive; the next one is cut in its middle if `torn`. */
  crash(kept: number, torn: boolean): void;
  /** Reads the journal of `epoch`: complete records from its floor on. A torn one and what follows it is cut off. */
  read(epoch: number): JournalRecord[];
  /** A disk that lies: takes durable records from the journal's end. */
  rollBack(records: number): void;
  /** What a compacted journal holds replaces all of it. */
  compact(epoch: number, records: readonly JournalRecord[]): void;
};

export function createDisk(): Disk {
  const persist = (write: Write): void => {
    if ('block' in write) {
      disk.blocks.set(write.block.facts.id, write.block);
      return;
    }
    if ('restart' in write) {
      disk.journal = [write.restart];
      return;
    }
    const { record, epoch } = write.frame;
    disk.journal.push(write.frame);
    if (record.kind !== 'floor') return;
    const floor = record.floor.view;
    disk.journal = disk.journal.filter(
      (frame) => frame.epoch === epoch && frame.record.kind !== 'floor' && viewOfRecord(frame.record) > floor,
    );
    disk.journal.push(write.frame);
  };
  const disk: Disk = {
    journal: [],
    blocks: new Map(),
    pending: [],
    written: 0,
    durable: 0,
    write(what) {
      disk.written += 1;
      disk.pending.push({ number: disk.written, ...what });
    },
    syncTo(number) {
      while (disk.pending.length > 0 && disk.pending[0]!.number <= number) persist(disk.pending.shift()!);
      disk.durable = Math.max(disk.durable, number);
    },
    crash(kept, torn) {
      for (const write of disk.pending.slice(0, kept)) persist(write);
      const next = disk.pending[kept];
      if (torn && next !== undefined && 'frame' in next) disk.journal.push({ ...next.frame, torn: true });
      disk.pending = [];
      disk.written = 0;
      disk.durable = 0;
    },
    read(epoch) {
      const torn = disk.journal.findIndex((frame) => frame.torn === true);
      if (torn >= 0) disk.journal.splice(torn);
      return disk.journal.filter((frame) => frame.epoch === epoch).map((frame) => frame.record);
    },
    rollBack(records) {
      disk.journal.splice(Math.max(0, disk.journal.length - records), records);
    },
    compact(epoch, records) {
      disk.journal = records.map((record) => ({ epoch, record }));
    },
    holdsVote(vote: Vote) {
      let floor = 0;
      for (let i = disk.journal.length - 1; i >= 0; i -= 1) {
        const { epoch, record } = disk.journal[i]!;
        if (epoch !== vote.subject.epoch) {
          if (epoch > vote.subject.epoch) return true;
          continue;
        }
        if (record.kind === 'floor') floor = Math.max(floor, record.floor.view);
        if (record.kind !== 'vote' && record.kind !== 'notarized') continue;
        const own: Vote = record.vote;
        if (own.kind === vote.kind && own.subject.view === vote.subject.view) return true;
      }
      return vote.subject.view <= floor;
    },
    holdsBlock: (id) => disk.blocks.has(id),
  };
  return disk;
}
