import { readFile, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { toHex } from '../codec/hex.ts';
import { encodeUtf8 } from '../codec/utf8.ts';
import { sha256 } from '../crypto/hash.ts';

/**
 * What tells a data folder from its copy: `<inode>-<birth time, ns>-<machine>`. Inode and birth time differ in every copy of
 * files, but not in one of a whole disk, where the machine must differ: `/etc/machine-id`, else the host name (of a container
 * that is made anew a new one, unless it is given), hashed. A part that the system does not tell is 0 and says nothing. An older
 * sign state has the inode alone.
 */
export const folderPattern = /^[0-9]{1,20}(?:-[0-9]{1,20}-[0-9a-f]{1,16})?$/;

const unknown = '0';
const tag = 'weft/machine/v1';

/** Undefined where there is no such folder. */
export async function folderIdentity(
  path: string,
  machine: () => Promise<string> = machineId,
): Promise<string | undefined> {
  try {
    const { ino, birthtimeNs, ctimeNs } = await stat(path, { bigint: true });
    // Where no birth time is kept, the time of the last change may stand for it.
    const born = birthtimeNs > 0n && birthtimeNs !== ctimeNs ? birthtimeNs.toString() : unknown;
    return `${ino}-${born}-${machineHash(await machine())}`;
  } catch {
    return undefined;
  }
}

/** As far as both say. */
export function sameFolder(a: string, b: string): boolean {
  const [ofA, ofB] = [a.split('-'), b.split('-')];
  return ofA.every((part, i) => {
    const other = ofB[i] ?? unknown;
    return part === other || part === unknown || other === unknown;
  });
}

/** `/etc/machine-id` is not to leave its machine. */
function machineHash(id: string): string {
  return id === '' ? unknown : toHex(sha256(encodeUtf8(`${tag}\0${id}`)).subarray(0, 8));
}

async function machineId(): Promise<string> {
  const written = await readFile('/etc/machine-id', 'utf8').catch(() => '');
  // Of an image that was never started: "uninitialized".
  return /^[0-9a-f]{32}$/.test(written.trim()) ? written.trim() : hostname();
}
