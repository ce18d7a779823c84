import { randomBytes } from 'node:crypto';
import { link, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { WeftError } from '../codec/error.ts';
import { encodeUtf8 } from '../codec/utf8.ts';
import {
  decryptSecrets,
  encryptSecrets,
  KEY_FILE_BYTES_MAX,
  type NamedSecret,
  type Protection,
  type PublicPart,
  publicPartOf,
} from './keySeal.ts';

/** Bits that let group or others at the file, or make it executable. */
const FORBIDDEN_MODE = 0o177;
const hasModes = process.platform !== 'win32';

/**
 * Writes a key file that only its owner can read (0600): complete or not at all, also through a power cut. An existing
 * file stays, unless `replace` says otherwise: a key that is overwritten is lost.
 * Refusals: `KEY_FILE_EXISTS`, `KEY_FILE_UNWRITABLE`, and those of encryptSecrets.
 */
export async function writeKeyFile(
  path: string,
  secrets: readonly NamedSecret[],
  protection: Protection & { readonly replace?: boolean },
): Promise<void> {
  const content = encodeUtf8(await encryptSecrets(secrets, protection));
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    if (protection.replace === true) await rename(temporary, path);
    else await link(temporary, path);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EEXIST') {
      throw new WeftError(
        'KEY_FILE_EXISTS',
        `${path} exists already. Move it away first: an overwritten key is lost.`,
        { path },
      );
    }
    throw new WeftError('KEY_FILE_UNWRITABLE', `${path} cannot be written: ${code}.`, { path });
  } finally {
    // After rename there is nothing left to remove; after anything else the temporary file must not stay.
    await unlink(temporary).catch(() => undefined);
  }
  await syncFolder(dirname(path));
}

/**
 * Reads and opens a key file. Refusals: `KEY_FILE_MISSING`, `KEY_FILE_UNREADABLE`, `KEY_FILE_PERMISSIONS` (others than
 * its owner may open it: the message holds the command that repairs it), and those of decryptSecrets.
 */
export async function readKeyFile(path: string, passphrase: string | null): Promise<NamedSecret[]> {
  return decryptSecrets(await readBytes(path), passphrase);
}

/** Names and public keys of a key file, without its passphrase. Refusals: as readKeyFile, less those of the passphrase. */
export async function readPublicPart(path: string): Promise<PublicPart[]> {
  return publicPartOf(await readBytes(path));
}

async function readBytes(path: string): Promise<Uint8Array> {
  const file = await open(path, 'r').catch((error: unknown) => {
    const code = systemCode(error);
    if (code === 'ENOENT')
      throw new WeftError('KEY_FILE_MISSING', `There is no key file at ${path}. Make one with "weft keys new".`, {
        path,
      });
    throw new WeftError('KEY_FILE_UNREADABLE', `${path} cannot be opened: ${code}.`, { path });
  });
  try {
    // Of the open file, not of the path: nobody can exchange it between the check and the read.
    const { mode, size } = await file.stat();
    if ((mode & 0o170000) !== 0o100000)
      throw new WeftError('KEY_FILE_INVALID', `${path} is not a regular file.`, { path });
    if (hasModes && (mode & FORBIDDEN_MODE) !== 0) {
      const found = (mode & 0o777).toString(8).padStart(4, '0');
      throw new WeftError(
        'KEY_FILE_PERMISSIONS',
        `${path} has mode ${found}; others than you could use the keys. Run: chmod 600 '${path}'`,
        {
          path,
        },
      );
    }
    if (size > KEY_FILE_BYTES_MAX) {
      throw new WeftError(
        'KEY_FILE_INVALID',
        `${path} has ${size} bytes; a key file has at most ${KEY_FILE_BYTES_MAX}.`,
        { path, size },
      );
    }
    return new Uint8Array(await file.readFile());
  } finally {
    await file.close();
  }
}

async function syncFolder(folder: string): Promise<void> {
  if (!hasModes) return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
