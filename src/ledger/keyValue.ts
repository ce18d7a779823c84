import { Level } from 'level';
import { WeftError } from '../codec/error.ts';

export type WriteOp =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array };

/** What the store needs of a database: sorted keys, synchronous reads, atomic durable batches. */
export type KeyValue = {
  get(key: Uint8Array): Uint8Array | undefined;
  /** All or nothing; survives a power loss once it resolves. */
  write(ops: readonly WriteOp[]): Promise<void>;
  /** Entries with `from` ≤ key < `to`, ascending. */
  range(from: Uint8Array, to: Uint8Array, limit?: number): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>;
  close(): Promise<void>;
};

const megabyte = 1024 * 1024;

/**
 * Level (LevelDB). Every batch is synced: LevelDB closes a full log file without syncing it, so a later synced batch says
 * nothing about earlier ones that were not. The sync runs on a thread, 0.2 ms on a quiet disk, and no vote waits for it.
 * @throws WeftError DATA_LOCKED (another process has the folder), DATA_UNREADABLE
 */
export async function openLevel(folder: string): Promise<KeyValue> {
  const level = new Level<Uint8Array, Uint8Array>(folder, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    cacheSize: 32 * megabyte,
    writeBufferSize: 16 * megabyte,
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
    throw new WeftError('DATA_UNREADABLE', `The store in ${folder} does not open: ${cause?.message ?? String(error)}`);
  }
  return {
    get: (key) => level.getSync(key),
    write: (ops) => level.batch(ops as WriteOp[], { sync: true }),
    range: (from, to, limit) => level.iterator({ gte: from, lt: to, ...(limit === undefined ? {} : { limit }) }),
    close: () => level.close(),
  };
}
