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
import { loadSnapshot, SnapshotProof } from '../ledger/snapshotLoad.ts';
import type { Log } from './log.ts';
import { SnapshotRefusals } from './snapshotRefusals.ts';
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
  /** What earlier attempts found. */
  readonly refusals?: SnapshotRefusals;
  readonly monotonicMs?: () => number;
  readonly freeBytes?: (folder: string) => Promise<number>;
};

export type FetchedSnapshot = { readonly path: string; readonly height: number };

/** Parts that are asked for at a time. */
const atOnce = 4;
/** Answers in a row that a peer may leave out. */
const missesMax = 3;

/** What a whole download may take: a slow line has it, a liar who brings a part now and then has no more. Doubles with each time. */
const allowed = { beginMs: 120_000, bytesPerMs: 1024 } as const;

/** A peer's offer, taken for what it says until it is proven. */
type Offered = SnapshotOffer & { readonly peer: string };

/** One attempt. */
type Attempt = FetchModules & { readonly refusals: SnapshotRefusals; readonly monotonicMs: () => number };

/**
 * Downloads, verifies and loads the best snapshot above what is here into the store that the next start takes (replaceStore.ts).
 * Undefined when nobody has one that holds. @throws WeftError SNAPSHOT_NO_ROOM
 */
export async function fetchSnapshot(modules: FetchModules): Promise<FetchedSnapshot | undefined> {
  const attempt: Attempt = {
    ...modules,
    refusals: modules.refusals ?? new SnapshotRefusals(),
    monotonicMs: modules.monotonicMs ?? (() => performance.now()),
  };
  const { folder, log, refusals, monotonicMs } = attempt;
  await mkdir(folder, { recursive: true });
  const offers = await offersAbove(attempt, modules.height());
  await removeDrafts(folder, new Set(offers.map(({ id }) => draftName(id))));
  // An offer that does not hold does not hold from another peer either.
  const wrong = new Set<string>();
  let noRoom: WeftError | undefined;
  for (const offer of offers) {
    const { peer, height } = offer;
    if (modules.stopped()) return undefined;
    if (refusals.isRefused(peer, monotonicMs()) || wrong.has(nameOf(offer))) continue;
    try {
      const fetched = await tryOffer(attempt, offer);
      if (fetched !== undefined) log.info({ height, peer }, 'a snapshot is loaded: this node goes on from it');
      return fetched;
    } catch (error) {
      if (!(error instanceof WeftError) || !error.code.startsWith('SNAPSHOT_')) throw error;
      log.warn({ peer, height, code: error.code, reason: error.message }, 'snapshot refused');
      if (error.code === 'SNAPSHOT_NO_ROOM') noRoom = error;
      else if (error.code === 'SNAPSHOT_SLOW') refusals.slow(peer);
      else if (error.code !== 'SNAPSHOT_ABSENT') {
        if (error.code !== 'SNAPSHOT_PART') wrong.add(nameOf(offer));
        refusals.refuse(peer, monotonicMs());
        modules.blame(peer, error.code);
      }
    }
  }
  // Only when nothing smaller helps: what a single peer calls the size of its snapshot says nothing about the others.
  if (noRoom !== undefined) throw noRoom;
  return undefined;
}

/** Undefined when the node stops, or came as far by itself. @throws WeftError SNAPSHOT_* */
async function tryOffer(attempt: Attempt, offer: Offered): Promise<FetchedSnapshot | undefined> {
  const { genesis, data, folder } = attempt;
  const path = await download(attempt, offer);
  const file = await SnapshotFile.open(path);
  try {
    const database = await openLevel(await beginIncoming(data));
    try {
      await loadSnapshot(file, genesis, database, {
        onProgress: () => {
          if (attempt.stopped()) throw absent(offer);
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
  if (attempt.stopped() || offer.height <= attempt.height()) return undefined;
  await markIncoming(data, attempt.keepOld);
  await removeDrafts(folder, new Set([draftName(offer.id)]));
  return { path, height: offer.height };
}

/** The whole of what a peer claimed: the same id with another height or size is another lie. */
function nameOf({ id, height, bytes }: SnapshotOffer): string {
  return `${id} ${height} ${bytes}`;
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
 * The newest first, of peers that were not too slow before; then what several peers offer, then the smallest: a lie that is cheap
 * to find out costs little, and a large one is looked at only after all that are smaller.
 */
async function offersAbove(attempt: Attempt, aboveHeight: number): Promise<Offered[]> {
  const { askable, offersOf, refusals, monotonicMs } = attempt;
  const peers = askable().filter((peer) => !refusals.isRefused(peer, monotonicMs()));
  const answers = await Promise.all(
    peers.map(async (peer) => (await offersOf(peer))?.slice(0, 4).map((offer) => ({ ...offer, peer })) ?? []),
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
  const backers = (offer: Offered): number =>
    new Set(offers.filter((each) => nameOf(each) === nameOf(offer)).map(({ peer }) => peer)).size;
  const ranked = offers.map((offer) => ({ offer, backers: backers(offer), slow: refusals.slowness(offer.peer) }));
  return ranked
    .sort(
      (a, b) =>
        a.slow - b.slow ||
        Number(fresh(b.offer)) - Number(fresh(a.offer)) ||
        b.backers - a.backers ||
        a.offer.bytes - b.offer.bytes ||
        b.offer.height - a.offer.height,
    )
    .map(({ offer }) => offer);
}

async function download(attempt: Attempt, offer: Offered): Promise<string> {
  const { folder, genesis, refusals, monotonicMs } = attempt;
  const factor = 2 ** refusals.slowness(offer.peer);
  const endMs = monotonicMs() + factor * (allowed.beginMs + offer.bytes / allowed.bytesPerMs);
  const manifestBytes = await attempt.fetchPart(offer.peer, fromHex(offer.id, 32));
  if (manifestBytes === undefined) throw absent(offer);
  if (manifestId(manifestBytes) !== offer.id)
    throw new WeftError('SNAPSHOT_PART', 'The manifest is not the one that was offered.');
  const manifest = decodeManifest(manifestBytes);
  if (manifest.height !== offer.height)
    throw new WeftError('SNAPSHOT_INVALID', 'The manifest is of another height than was offered.');
  if (bytesOf(manifest.parts) + manifestBytes.length !== offer.bytes)
    throw new WeftError('SNAPSHOT_INVALID', 'The snapshot is of another size than was offered.');
  const proof = new SnapshotProof(manifest, genesis);
  // Before the first byte is kept.
  await checkRoom(attempt, offer.bytes);
  const path = join(folder, draftName(offer.id));
  const draft = await SnapshotDraft.open(path, true);
  try {
    const get = partGetter(attempt, manifest, offer, draft, endMs);
    // What proves the block, step by step, before anything large is fetched for it.
    const walk = manifest.parts.flatMap(({ kind }, i) => (kind === partKinds.walk ? [i] : []));
    for (const i of walk) await get(i, (bytes) => proof.take(bytes));
    proof.finish();
    const left = manifest.parts.map((_, i) => i).slice(walk.length);
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
    await draft.abandon(/^SNAPSHOT_(ABSENT|SLOW)$/.test(codeOf(error)));
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

/**
 * Gets a part into the draft: from there, from the peer that offers it, else from any other that has it. `look` sees it before
 * it is kept.
 */
function partGetter(
  attempt: Attempt,
  manifest: SnapshotManifest,
  offer: Offered,
  draft: SnapshotDraft,
  endMs: number,
): (index: number, look?: (bytes: Uint8Array) => void) => Promise<void> {
  const { refusals, monotonicMs } = attempt;
  const offsets = offsetsOf(manifest.parts);
  const misses = new Map<string, number>();
  const usable = (peer: string): boolean =>
    !refusals.isRefused(peer, monotonicMs()) && (misses.get(peer) ?? 0) < missesMax;
  return async (index, look) => {
    const part = manifest.parts[index];
    const offset = offsets[index];
    if (part === undefined || offset === undefined) throw absent(offer);
    const held = await draft.held(offset, part);
    if (held !== undefined) return look?.(held);
    for (;;) {
      const peers = [offer.peer, ...attempt.askable().filter((peer) => peer !== offer.peer)].filter(usable);
      if (peers.length === 0) throw absent(offer);
      for (const peer of peers) {
        if (attempt.stopped()) throw absent(offer);
        if (monotonicMs() > endMs) throw tooSlow(offer);
        const bytes = await attempt.fetchPart(peer, fromHex(part.digest, 32));
        if (bytes === undefined) {
          misses.set(peer, (misses.get(peer) ?? 0) + 1);
          continue;
        }
        try {
          checkPart(part, bytes);
        } catch (error) {
          refusals.refuse(peer, monotonicMs());
          attempt.blame(peer, codeOf(error));
          continue;
        }
        misses.delete(peer);
        look?.(bytes);
        await draft.writeAt(offset, bytes);
        return;
      }
    }
  };
}

function tooSlow({ peer, height }: Offered): WeftError {
  return new WeftError('SNAPSHOT_SLOW', `The snapshot of block ${height} that ${peer} offered did not come in time.`);
}

function absent({ peer, height }: Offered): WeftError {
  return new WeftError(
    'SNAPSHOT_ABSENT',
    `The snapshot of block ${height} that ${peer} offered could not be fetched whole.`,
  );
}
