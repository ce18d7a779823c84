import { copyFileSync, linkSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A stopped validator's folder put aside and brought back. Level never writes a table twice, so those are linked and not copied;
 * what the tests themselves write down (log, wire) stays where it is.
 */
export function putAside(dir: string): string {
  const aside = `${dir}-aside`;
  rmSync(aside, { recursive: true, force: true });
  copy(dir, aside);
  return aside;
}

/** Folders stay the folders that they are: a data folder that was moved is another one to a validator. */
export function bringBack(dir: string): void {
  restore(`${dir}-aside`, dir);
  forget(dir);
}

function restore(from: string, to: string): void {
  mkdirSync(to, { recursive: true, mode: 0o700 });
  const wanted = new Map(readdirSync(from, { withFileTypes: true }).map((entry) => [entry.name, entry]));
  for (const entry of readdirSync(to, { withFileTypes: true })) {
    const stays = ours(entry.name) || (entry.isDirectory() && wanted.get(entry.name)?.isDirectory() === true);
    if (!stays) rmSync(join(to, entry.name), { recursive: true });
  }
  for (const [name, entry] of wanted) {
    if (entry.isDirectory()) restore(join(from, name), join(to, name));
    else renameSync(join(from, name), join(to, name));
  }
}

export function forget(dir: string): void {
  rmSync(`${dir}-aside`, { recursive: true, force: true });
}

const ours = (name: string): boolean => name === 'node.log' || /^wire(\.\d+)?$/.test(name);

function copy(from: string, to: string): void {
  mkdirSync(to, { recursive: true, mode: 0o700 });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) copy(source, target);
    else if (/\.(ldb|sst)$/.test(entry.name)) linkSync(source, target);
    else if (entry.isFile() && !ours(entry.name)) copyFileSync(source, target);
  }
}
