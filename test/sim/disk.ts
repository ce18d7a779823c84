// A node's disk: what was written is durable only after a sync; a crash keeps a prefix of the rest, or nothing.
import { viewOfRecord } from '../../consensus/journal.ts';
import type { Finalization, JournalRecord, Vote } from '../../consensus/types.ts';
import type { DiskView } from './oracle.ts';
import type { ToyBlock } from './toyLedger.ts';

export type Write = { number: number } & ({ record: JournalRecord } | { block: ToyBlock });

export type Disk = DiskView & {
  journal: JournalRecord[];
  /** The block file. */
  blocks: Map<string, ToyBlock>;
  /** Committed blocks by height; genesis is at 0. */
  store: ToyBlock[];
  storeView: number;
  storeCertificate: Finalization | undefined;
  pending: Write[];
  written: number;
  durable: number;
  write(what: { record: JournalRecord } | { block: ToyBlock }): void;
  /** Everything written up to `number` is durable. */
  syncTo(number: number): void;
  /** Power loss: of what was not synced the first `kept` writes survive. */
  crash(kept: number): void;
};

export function createDisk(genesis: ToyBlock): Disk {
  const durableFloor = (): number => {
    let floor = disk.storeView;
    for (const record of disk.journal) if (record.kind === 'floor') floor = Math.max(floor, record.floor.view);
    return floor;
  };
  const persist = (write: Write): void => {
    if ('block' in write) {
      disk.blocks.set(write.block.facts.id, write.block);
      return;
    }
    disk.journal.push(write.record);
    if (write.record.kind !== 'floor') return;
    const floor = write.record.floor.view;
    disk.journal = disk.journal.filter((record) => record.kind !== 'floor' && viewOfRecord(record) > floor);
    disk.journal.push(write.record);
  };
  const disk: Disk = {
    journal: [],
    blocks: new Map(),
    store: [genesis],
    storeView: 0,
    storeCertificate: undefined,
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
    crash(kept) {
      for (const write of disk.pending.slice(0, kept)) persist(write);
      disk.pending = [];
      disk.durable = disk.written;
    },
    holdsVote(vote: Vote) {
      for (let i = disk.journal.length - 1; i >= 0; i -= 1) {
        const record = disk.journal[i]!;
        if (record.kind !== 'vote' && record.kind !== 'notarized') continue;
        const own: Vote = record.vote;
        if (own.kind === vote.kind && own.subject.view === vote.subject.view) return true;
      }
      return vote.subject.view <= durableFloor();
    },
    holdsBlock(id) {
      return disk.blocks.has(id) || disk.store.some((block) => block.facts.id === id);
    },
  };
  return disk;
}
