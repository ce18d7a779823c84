import { decodeCbor, encodeCbor } from '../codec/cbor.ts';
import { damaged } from './damage.ts';

/**
 * Where a store begins. One that was never pruned and grew from genesis holds everything; one that began from a snapshot or was
 * pruned holds blocks from `height` on and log entries from `entry` on. Headers and finalizations of closing blocks are
 * held whatever the floor: whoever slept through a change of validators walks along them.
 */
export type Floor = {
  /** First height whose block is held whole. */
  readonly height: number;
  /** Log size before that block. */
  readonly logSize: number;
  /** First log index whose entry is held. */
  readonly entry: number;
  /** Log size from which on tiles are held; of what is before it the right edge is. 0: all tiles are here. */
  readonly tiles: number;
};

/** Leaf 0 is genesis, which is not part of a block. */
export const wholeFloor: Floor = { height: 1, logSize: 1, entry: 0, tiles: 0 };

export function encodeFloor({ height, logSize, entry, tiles }: Floor): Uint8Array {
  return encodeCbor([height, logSize, entry, tiles]);
}

export function decodeFloor(bytes: Uint8Array): Floor {
  const value = decodeCbor(bytes, { bytesMax: 64 });
  const [height, logSize, entry, tiles] = Array.isArray(value) ? (value as readonly unknown[]) : [];
  const isCount = (each: unknown): each is number => typeof each === 'number' && each >= 0;
  if (!isCount(height) || !isCount(logSize) || !isCount(entry) || !isCount(tiles)) {
    throw damaged('its floor cannot be read');
  }
  return { height, logSize, entry, tiles };
}
