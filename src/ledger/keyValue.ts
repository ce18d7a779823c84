import { readdir } from 'node:fs/promises';
import { Level } from 'level';
import { WeftError } from '../codec/error.ts';
import { damaged } from './damage.ts';
import { diskCodeOf, diskError } from './diskError.ts';
import { inTurns, stepsPerTurn } from './turns.ts';

export type WriteOp =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array };

/** What the store needs of a database: sorted keys, synchronous reads, atomic durable batches. */
export type KeyValue = {
  get(key: Uint8Array): Uint8Array | undefined;
  /**
   * Brings what these keys have from the disk into memory, off the event loop and at the same time, for `get`s that follow at once. Says
   * nothing of what it finds, nor of what fails. Absent where nothing waits for a disk.
   */
  warm?(keys: readonly Uint8Array[]): Promise<void>;
  /** All or nothing; survives a power loss once it resolves. */
  write(ops: readonly WriteOp[]): Promise<void>;
  /** Entries with `from` ≤ key < `to`, ascending (`reverse`: descending), as they are when the first one is read. */
  range(
    from: Uint8Array,
    to: Uint8Array,
    limit?: number,
    reverse?: boolean,
  ): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>;
  /**
   * The same from `from` to `to` for keys and values that are text, in runs: a string is a third of what the two arrays of bytes of an
   * entry cost. Bytes that are no UTF-8 come as U+FFFD. Absent: `range` is enough.
   */
  texts?(from: string, to: string): AsyncIterable<readonly (readonly [key: string, value: string])[]>;
  /** Gives the disk back what was deleted between the two keys. Off the event loop; absent where there is nothing to give. */
  compact?(from: Uint8Array, to: Uint8Array): Promise<void>;
  close(): Promise<void>;
};

const megabyte = 1024 * 1024;
const textRunBytes = 256 * 1024;
const textRunEntries = 1000;

/** Level's types are those of every platform; only the LevelDB underneath has this. */
type Compactable = { compactRange(from: Uint8Array, to: Uint8Array, options: { keyEncoding: 'view' }): Promise<void> };

/**
 * Level (LevelDB). Every batch is synced: LevelDB closes a full log file without syncing it, so a later synced batch says
 * nothing about earlier ones that were not. The sync runs on a thread, 0.2 ms on a quiet disk, and no vote waits for it.
 * @throws WeftError DATA_LOCKED (another process has the folder), DATA_DAMAGED, DISK_FULL, DISK_FAILED, DATA_UNREADABLE
 */
export async function openLevel(folder: string): Promise<KeyValue> {
  await refuseHeadless(folder);
  const level = new Level<Uint8Array, Uint8Array>(folder, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    // Both fill up over hours and stay. State, the log's edge and recent bodies are in memory anyway.
    cacheSize: 8 * megabyte,
    writeBufferSize: 8 * megabyte,
    // Each open table of 2 MB is mapped, and once read it stays in memory until the system wants the room: 236 MB at most.
    maxOpenFiles: 128,
  });
  try {
    await level.open();
  } catch (error) {
    const cause = (error as { cause?: { code?: string; message?: string } }).cause;
    if (cause?.code === 'LEVEL_LOCKED') {
      throw new WeftError(
        'DATA_LOCKED',
        `Another process works on ${folder}: stop it first, or use another data folder.`,
      );
    }
    if (diskCodeOf(cause) !== '') throw diskError(`The store in ${folder}`, cause);
    const why = cause?.message ?? String(error);
    // A file that is missing or cut, a checksum that does not fit; whatever else keeps it from opening is said as it is.
    if (cause?.code === 'LEVEL_CORRUPTION' || /No such file or directory/.test(why)) throw damaged(why);
    throw new WeftError('DATA_UNREADABLE', `The store in ${folder} does not open: ${why}`);
  }
  return {
    get: (key) => {
      try {
        return level.getSync(key);
      } catch (error) {
        throw readError(level.status, error);
      }
    },
    async warm(keys) {
      await Promise.allSettled(keys.map((key) => level.get(key)));
    },
    async write(ops) {
      // Put together piece by piece, without an object for each: an array costs twice as much, and of a hundred thousand operations
      // it holds everything else up for half a second.
      const batch = level.batch();
      const add = (op: WriteOp) => (op.type === 'put' ? batch.put(op.key, op.value) : batch.del(op.key));
      if (ops.length <= stepsPerTurn) for (const op of ops) add(op);
      else await inTurns(ops, () => 1, add);
      return batch.write({ sync: true });
    },
    async *range(from, to, limit, reverse = false) {
      try {
        yield* level.iterator({ gte: from, lt: to, reverse, ...(limit === undefined ? {} : { limit }) });
      } catch (error) {
        throw readError(level.status, error);
      }
    },
    async *texts(from, to) {
      const found = level.iterator<string, string>({
        gte: from,
        lt: to,
        keyEncoding: 'utf8',
        valueEncoding: 'utf8',
        highWaterMarkBytes: textRunBytes,
      });
      try {
        for (;;) {
          const run = await found.nextv(textRunEntries);
          if (run.length === 0) return;
          yield run;
        }
      } catch (error) {
        throw readError(level.status, error);
      } finally {
        await found.close();
      }
    },
    compact: (from, to) => (level as unknown as Compactable).compactRange(from, to, { keyEncoding: 'view' }),
    close: () => level.close(),
  };
}

/** Without CURRENT LevelDB takes the folder for a new database, and throws away the files that it finds there. */
async function refuseHeadless(folder: string): Promise<void> {
  const names = await readdir(folder).catch((): string[] => []);
  if (names.some((name) => name.endsWith('.ldb')) && !names.includes('CURRENT'))
    throw damaged(`${folder} has lost its file CURRENT`);
}

function readError(status: string, error: unknown): Error {
  if (error instanceof WeftError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return status === 'open' ? damaged(why) : new WeftError('LEDGER_CLOSED', 'The store is closed.');
}
