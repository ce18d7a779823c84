import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, statfsSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { WeftError } from '../../codec/error.ts';
import type { Kernel } from './kernel.ts';
import { closeLoaded, type Loaded, loadSkeleton } from './load.ts';
import type { Skeleton } from './programs.ts';

const bpfFileSystem = 0xcafe4a11;

/**
 * A loaded gate. With pins its maps, programs and links have names on a bpf file system, `<root>/<part>/<build>/…`, and live
 * on when the process that made them dies; the next one adopts them. Each build has a folder of its own, because its maps may
 * look different; links are handed over from build to build with no packet between them.
 */
export type Part = {
  readonly loaded: Loaded;
  /** True when a former process had made it: its maps hold what that process wrote. */
  readonly adopted: boolean;
  /** Where this build's pins are; undefined without pins. */
  readonly folder?: string;
};

/** `root`, or what `names` say in it. @throws BPF_NO_PINS when it cannot be made or is on no bpf file system */
export function makePinFolder(root: string, ...names: readonly string[]): string {
  const folder = join(root, ...names);
  let type: number;
  try {
    let there = root;
    while (!existsSync(there)) there = dirname(there);
    type = statfsSync(there).type;
    if (type === bpfFileSystem) mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new WeftError('BPF_NO_PINS', `cannot pin under ${root}: ${why}`);
  }
  if (type !== bpfFileSystem)
    throw new WeftError(
      'BPF_NO_PINS',
      `${root} is on no bpf file system, so what is loaded cannot outlive its process: mount -t bpf bpf /sys/fs/bpf, or say fail-open`,
    );
  return folder;
}

/** What is pinned of this build, and nothing is made. @throws BPF_OTHER_BUILD, BPF_REFUSED */
function openPinned(kernel: Kernel, name: 'gate' | 'outgoing', skeleton: Skeleton, root: string): Part {
  const folder = join(root, name, buildOf(skeleton));
  const loaded = adopt(kernel, skeleton, folder);
  if (loaded !== undefined) return { loaded, adopted: true, folder };
  throw new WeftError(
    'BPF_OTHER_BUILD',
    `what is pinned under ${join(root, name)} was made by another version: use that version's command, or start the agent anew with this one`,
  );
}

const buildOf = ({ sha256 }: Skeleton): string => sha256.slice(0, 16);

/**
 * Loads `skeleton`, or adopts what is pinned of the same build. Without `root` nothing is pinned; `only`: what is there is adopted, or refused.
 * @throws BPF_NO_PINS, BPF_OTHER_BUILD, BPF_REFUSED
 */
export function openPart(
  kernel: Kernel,
  name: 'gate' | 'outgoing',
  skeleton: Skeleton,
  root: string | undefined,
  only?: 'adopt',
): Part {
  if (root !== undefined && only === 'adopt') return openPinned(kernel, name, skeleton, root);
  if (root === undefined) return { loaded: loadSkeleton(kernel, skeleton), adopted: false };
  const folder = makePinFolder(root, name, buildOf(skeleton));
  const found = adopt(kernel, skeleton, folder);
  if (found !== undefined) return { loaded: found, adopted: true, folder };
  // Its maker died while it pinned, or somebody took a map away. Links go on until we take them over.
  if (pinnedLinks(folder).length === 0) clear(folder);
  else {
    renameSync(folder, `${folder}_torn_${process.pid}`);
    mkdirSync(folder, { mode: 0o700 });
  }
  const loaded = loadSkeleton(kernel, skeleton);
  try {
    for (const [name, fd] of [...loaded.maps, ...loaded.programs]) kernel.pin(fd, join(folder, pinName(name)));
  } catch (error) {
    closeLoaded(kernel, loaded);
    throw error;
  }
  return { loaded, adopted: false, folder };
}

function pinName(name: string): string {
  return name.replace(/[^A-Za-z0-9_-]/g, (char) => `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

function adopt(kernel: Kernel, skeleton: Skeleton, folder: string): Loaded | undefined {
  const fds = new Map<string, number>();
  for (const name of [...skeleton.maps, ...skeleton.programs]) {
    const fd = kernel.get(join(folder, pinName(name)));
    if (fd === undefined) {
      for (const each of fds.values()) kernel.close(each);
      return undefined;
    }
    fds.set(name, fd);
  }
  const pick = (names: readonly string[]) => new Map(names.map((name) => [name, fds.get(name) ?? -1] as const));
  return { maps: pick(skeleton.maps), programs: pick(skeleton.programs) };
}

function clear(folder: string): void {
  for (const name of readdirSync(folder)) unlinkSync(join(folder, name));
}

/** A link's pin. `name` may hold what bpf file systems do not take (a dot). */
export function linkPath(folder: string, name: string): string {
  return join(folder, `link_${pinName(name)}`);
}

/** Names of the links pinned in `folder`. */
export function pinnedLinks(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith('link_'))
    .map((name) =>
      name.slice(5).replace(/%([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    );
}

/** Folders of other builds beside `folder`. */
export function otherBuilds(folder: string): string[] {
  const parent = dirname(folder);
  return readdirSync(parent)
    .map((name) => join(parent, name))
    .filter((path) => path !== folder);
}

export function unpin(path: string): void {
  if (existsSync(path)) unlinkSync(path);
}

/** Takes away what other builds left and no link uses any more. */
export function dropUnusedBuilds(folder: string): void {
  for (const other of otherBuilds(folder))
    if (pinnedLinks(other).length === 0) {
      clear(other);
      rmdirSync(other);
    }
}

/** Whether anything of a part is pinned. @throws BPF_NO_PINS: this user may not see it */
export function hasPins(root: string, part: 'gate' | 'outgoing'): boolean {
  try {
    return readdirSync(join(root, part)).length > 0;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw new WeftError(
      'BPF_NO_PINS',
      `this user may not look into ${root} (${code}): run this as the user of the agent, or as root`,
    );
  }
}

/** Takes away every pin of a part, of every build: what only pins held up is off at once. @returns how many links there were @throws BPF_NO_PINS: this user may not */
export function removePins(root: string, part: 'gate' | 'outgoing'): number {
  const parent = join(root, part);
  if (!hasPins(root, part)) return 0;
  let links = 0;
  for (const name of readdirSync(parent)) {
    const folder = join(parent, name);
    links += pinnedLinks(folder).length;
    clear(folder);
    rmdirSync(folder);
  }
  rmdirSync(parent);
  return links;
}
