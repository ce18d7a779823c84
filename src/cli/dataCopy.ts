import { existsSync } from 'node:fs';
import { copyFile, link, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WeftError } from '../codec/error.ts';
import type { Ledger } from '../ledger/ledger.ts';

export type DataCopy = {
  readonly ledger: Ledger;
  /** The newest checkpoint that the node had published, a signed note. */
  readonly checkpoint: string | undefined;
  /** Closes and removes the copy. */
  close(): Promise<void>;
};

const attemptsMax = 200;
const pauseMs = 25;

/**
 * Copies a node's finalized ledger, so that reading it neither needs the node to stop nor writes to its data. Level
 * never changes a table file once it is written, so tables are hard-linked; manifest and logs only grow, so they are
 * copied, and the copy counts only if no file came, went or was replaced meanwhile (else again). What is torn off a log's end
 * had not been acknowledged when the copy began.
 * @param data a node's data folder
 * @returns a data folder of its own, and how to get rid of it
 * @throws WeftError DATA_NOT_FOUND, DATA_BUSY
 */
export async function copyData(data: string): Promise<{ readonly dir: string; remove(): Promise<void> }> {
  const store = join(data, 'store');
  if (!existsSync(join(store, 'CURRENT'))) {
    throw new WeftError('DATA_NOT_FOUND', `there is no ledger in ${data}; name a node's data folder or its home`, {
      path: data,
    });
  }
  const dir = await mkdtemp(join(data, '.copy-'));
  const remove = (): Promise<void> => rm(dir, { recursive: true, force: true });
  try {
    await copyStore(store, join(dir, 'store'));
    return { dir, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Opens such a copy. @throws WeftError DATA_NOT_FOUND, DATA_BUSY, and those of `Ledger.open` */
export async function openDataCopy(data: string, genesis: Uint8Array): Promise<DataCopy> {
  const { dir, remove } = await copyData(data);
  try {
    const { Ledger } = await import('../ledger/ledger.ts');
    const ledger = await Ledger.open({ dir, genesis });
    return {
      ledger,
      checkpoint: await publishedCheckpoint(ledger),
      close: async () => {
        await ledger.close();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** The node keeps it as CBOR [size, note]. */
async function publishedCheckpoint(ledger: Ledger): Promise<string | undefined> {
  const bytes = ledger.note('checkpoint');
  if (bytes === undefined) return undefined;
  const [{ decodeCbor }, { decodeUtf8 }] = await Promise.all([import('../codec/cbor.ts'), import('../codec/utf8.ts')]);
  const value = decodeCbor(bytes, { bytesMax: 128 * 1024 });
  const note = Array.isArray(value) ? value[1] : undefined;
  return note instanceof Uint8Array ? decodeUtf8(note) : undefined;
}

async function copyStore(from: string, to: string): Promise<void> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    await rm(to, { recursive: true, force: true });
    await mkdir(to);
    const before = await shapeOf(from);
    if (await copyFiles(before.names, from, to)) {
      const after = await shapeOf(from);
      if (before.text === after.text) return;
    }
    await sleep(pauseMs);
  }
  throw new WeftError('DATA_BUSY', `${from} changed each time it was copied; try again, or stop the node`, {
    path: from,
  });
}

/** False when a file was gone before it could be copied. */
async function copyFiles(names: readonly string[], from: string, to: string): Promise<boolean> {
  for (const name of names) {
    try {
      if (name.endsWith('.ldb') || name.endsWith('.sst')) {
        await link(join(from, name), join(to, name)).catch(() => copyFile(join(from, name), join(to, name)));
      } else await copyFile(join(from, name), join(to, name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    }
  }
  return true;
}

/** What must not change while copying: which files there are, and how far the manifest is. */
async function shapeOf(folder: string): Promise<{ readonly names: string[]; readonly text: string }> {
  const names = (await readdir(folder))
    .filter((name) => name === 'CURRENT' || /\.(ldb|sst|log)$|^MANIFEST-/.test(name))
    .sort();
  const manifests = await Promise.all(
    names
      .filter((name) => name.startsWith('MANIFEST-'))
      .map(async (name) => (await stat(join(folder, name)).catch(() => undefined))?.size ?? -1),
  );
  return { names, text: JSON.stringify([names, manifests]) };
}
