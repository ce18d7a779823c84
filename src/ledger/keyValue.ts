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
  /** Entries with `from` ≤ key < `to`, ascending, as they are when the first one is read. */
  range(from: Uint8Array, to: Uint8Array, limit?: number): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>;
  /** Gives the disk back what was deleted between the two keys. Off the event loop; absent where there is nothing to give. */
  compact?(from: Uint8Array, to: Uint8Array): Promise<void>;
  close(): Promise<void>;
};

const megabyte = 1024 * 1024;

/** Level's types are those of every platform; only the LevelDB underneath has this. */
type Compactable = { compactRange(from: Uint8Array, to: Uint8Array, options: { keyEncoding: 'view' }): Promise<void> };

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
    compact: (from, to) => (level as unknown as Compactable).compactRange(from, to, { keyEncoding: 'view' }),
    close: () => level.close(),
  };
}
