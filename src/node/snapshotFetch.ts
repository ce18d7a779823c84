import { mkdir, readdir, statfs, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, WeftError } from '../codec/error.ts';
import { fromHex } from '../codec/hex.ts';
import type { Genesis } from '../ledger/genesis.ts';
import { openLevel } from '../ledger/keyValue.ts';
import { beginIncoming, markIncoming } from '../ledger/replaceStore.ts';
import { checkPart, SnapshotDraft, SnapshotFile } from '../ledger/snapshotFile.ts';
import {
  bytesOf,
  decodeManifest,
  manifestId,
  offsetsOf,
  partKinds,
  type SnapshotManifest,
  snapshotLimits,
} from '../ledger/snapshotFormat.ts';
import { loadSnapshot, proveSnapshot } from '../ledger/snapshotLoad.ts';
import type { Log } from './log.ts';
import type { SnapshotOffer } from './snapshots.ts';

/**
 * Gets a snapshot from peers: what each offers, one after the other, until one holds. First what proves its block (little), then
 * the parts, each from whoever has it; what arrived stays for the next attempt. A peer that sends bytes that are not what it
 * named, or whose snapshot does not hold, is asked no more.
 */
export type FetchModules = {
  readonly genesis: Genesis;
  /** The node's data folder. */
  readonly data: string;
  /** Where downloads lie. */
  readonly folder: string;
  readonly askable: () => readonly string[];
  readonly offersOf: (peer: string) => Promise<readonly SnapshotOffer[] | undefined>;
  /** The bytes with this digest. */
  readonly fetchPart: (peer: string, digest: Uint8Array) => Promise<Uint8Array | undefined>;
  /** Of the last block that is here. */
  readonly height: () => number;
  readonly blame: (peer: string, code: string) => void;
  readonly stopped: () => boolean;
  /** This node keeps everything: the store that the snapshot replaces stays beside it. */
  readonly keepOld?: boolean;
  readonly log: Log;
  readonly freeBytes?: (folder: string) => Promise<number>;
};

export type FetchedSnapshot = { readonly path: string; readonly height: number };

/** Parts that are asked for at a time. */
const atOnce = 4;
/** Answers in a row that a peer may leave out. */
const missesMax = 3;

/** A peer's offer, taken for what it says until it is proven. */
type Offered = SnapshotOffer & { readonly peer: string };

/**
 * Downloads, verifies and loads the best snapshot above what is here into the store that the next start takes (replaceStore.ts).
 * Undefined when nobody has one that holds. @throws WeftError SNAPSHOT_NO_ROOM
 */
export async function fetchSnapshot(modules: FetchModules): Promise<FetchedSnapshot | undefined> {
  const { genesis, data, folder, log } = modules;
  await mkdir(folder, { recursive: true });
  const refused = new Set<string>();
  const offers = await offersAbove(modules, modules.height());
  await removeDrafts(folder, new Set(offers.map(({ id }) => draftName(id))));
  for (const offer of offers) {
    if (modules.stopped()) return undefined;
    if (refused.has(offer.peer)) continue;
    try {
      const path = await download(modules, offer, refused);
      const file = await SnapshotFile.open(path);
      try {
        const database = await openLevel(await beginIncoming(data));
        try {
          await loadSnapshot(file, genesis, database, {
            onProgress: () => {
              if (modules.stopped()) throw absent(offer);
            },
          });
        } finally {
          await database.close();
        }
      } catch (error) {
        await unlink(path).catch(() => undefined);
        throw error;
      } finally {
        await file.close();
      }
      if (modules.stopped() || offer.height <= modules.height()) return undefined;
      await markIncoming(data, modules.keepOld);
      await removeDrafts(folder, new Set([draftName(offer.id)]));
      log.info({ height: offer.height, peer: offer.peer }, 'a snapshot is loaded: this node goes on from it');
      return { path, height: offer.height };
    } catch (error) {
      if (!(error instanceof WeftError) || !error.code.startsWith('SNAPSHOT_') || error.code === 'SNAPSHOT_NO_ROOM')
        throw error;
      log.warn({ peer: offer.peer, height: offer.height, code: error.code, reason: error.message }, 'snapshot refused');
      if (error.code === 'SNAPSHOT_ABSENT') continue;
      refused.add(offer.peer);
      modules.blame(offer.peer, error.code);
    }
  }
  return undefined;
}

function draftName(id: string): string {
  return `incoming-${id.slice(0, 16)}.snapshot`;
}

/** What was begun and is offered no more does not come back. */
async function removeDrafts(folder: string, wanted: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.startsWith('incoming-') && !wanted.has(name.replace(/\.part$/, ''))) await unlink(join(folder, name));
  }
}

/**
 * The newest first; of those about as new the smallest: a lie that is cheap to find out costs little, and a large one is looked
 * at only after all that are smaller.
 */
async function offersAbove({ askable, offersOf }: FetchModules, aboveHeight: number): Promise<Offered[]> {
  const answers = await Promise.all(
    askable().map(async (peer) => (await offersOf(peer))?.slice(0, 4).map((offer) => ({ ...offer, peer })) ?? []),
  );
  const offers = answers
    .flat()
    .filter(
      ({ height, bytes }) => height > aboveHeight && bytes <= snapshotLimits.bytesMax + snapshotLimits.manifestBytesMax,
    );
  const heights = offers.map(({ height }) => height).sort((a, b) => a - b);
  // A height is a claim like any other: the middle one is what "new" means here.
  const middle = heights[Math.floor(heights.length / 2)] ?? 0;
  const fresh = (offer: Offered): boolean => offer.height >= middle;
  return offers.sort((a, b) => Number(fresh(b)) - Number(fresh(a)) || a.bytes - b.bytes || b.height - a.height);
}

async function download(modules: FetchModules, offer: Offered, refused: Set<string>): Promise<string> {
  const { folder, genesis } = modules;
  const manifestBytes = await modules.fetchPart(offer.peer, fromHex(offer.id, 32));
  if (manifestBytes === undefined) throw absent(offer);
  if (manifestId(manifestBytes) !== offer.id)
    throw new WeftError('SNAPSHOT_PART', 'The manifest is not the one that was offered.');
  const manifest = decodeManifest(manifestBytes);
  if (manifest.height !== offer.height)
    throw new WeftError('SNAPSHOT_INVALID', 'The manifest is of another height than was offered.');
  const path = join(folder, draftName(offer.id));
  const draft = await SnapshotDraft.open(path, true);
  try {
    const get = partGetter(modules, manifest, offer, draft, refused);
    // What proves the block, before anything large is fetched for it.
    const walk = new Map<number, Uint8Array>();
    for (const [i, { kind }] of manifest.parts.entries()) if (kind === partKinds.walk) walk.set(i, await get(i));
    await proveSnapshot({ manifest, part: async (i) => walk.get(i) ?? get(i) }, genesis);
    await checkRoom(modules, bytesOf(manifest.parts));
    const left = manifest.parts.map((_, i) => i).filter((i) => !walk.has(i));
    const worker = async (): Promise<void> => {
      try {
        for (let i = left.shift(); i !== undefined; i = left.shift()) await get(i);
      } catch (error) {
        left.length = 0;
        throw error;
      }
    };
    const ends = await Promise.allSettled(Array.from({ length: atOnce }, worker));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    await draft.finish(manifestBytes, manifest.parts);
    return path;
  } catch (error) {
    await draft.abandon(codeOf(error) === 'SNAPSHOT_ABSENT');
    throw error;
  }
}

/** A store is about as large as its snapshot, and stands beside the old one for a moment. @throws WeftError SNAPSHOT_NO_ROOM */
async function checkRoom({ folder, freeBytes }: FetchModules, bytes: number): Promise<void> {
  const free = await (freeBytes ?? freeBytesOf)(folder);
  if (free >= 3 * bytes) return;
  throw new WeftError(
    'SNAPSHOT_NO_ROOM',
    `The snapshot needs ${3 * bytes} free bytes in ${folder}; there are ${free}. Make room, the node tries again.`,
  );
}

async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** Gets a part into the draft: from there, from the peer that offers it, else from any other that has it. */
function partGetter(
  modules: FetchModules,
  manifest: SnapshotManifest,
  offer: Offered,
  draft: SnapshotDraft,
  refused: Set<string>,
): (index: number) => Promise<Uint8Array> {
  const offsets = offsetsOf(manifest.parts);
  const misses = new Map<string, number>();
  return async (index) => {
    const part = manifest.parts[index];
    const offset = offsets[index];
    if (part === undefined || offset === undefined) throw absent(offer);
    const held = await draft.held(offset, part);
    if (held !== undefined) return held;
    const usable = (peer: string): boolean => !refused.has(peer) && (misses.get(peer) ?? 0) < missesMax;
    for (;;) {
      if (modules.stopped()) throw absent(offer);
      const peers = [offer.peer, ...modules.askable().filter((peer) => peer !== offer.peer)].filter(usable);
      if (peers.length === 0) throw absent(offer);
      for (const peer of peers) {
        const bytes = await modules.fetchPart(peer, fromHex(part.digest, 32));
        if (bytes === undefined) {
          misses.set(peer, (misses.get(peer) ?? 0) + 1);
          continue;
        }
        try {
          checkPart(part, bytes);
        } catch (error) {
          refused.add(peer);
          modules.blame(peer, codeOf(error));
          continue;
        }
        misses.delete(peer);
        await draft.writeAt(offset, bytes);
        return bytes;
      }
    }
  };
}

function absent({ peer, height }: Offered): WeftError {
  return new WeftError(
    'SNAPSHOT_ABSENT',
    `The snapshot of block ${height} that ${peer} offered could not be fetched whole.`,
  );
}
