/** The library of dangerous intents: what must never be granted, one JSON file each (schemas/dangerous-intent.schema.json). */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DangerousIntent } from '../../schemas/types/dangerous-intent.ts';
import { validate } from '../../schemas/validators.ts';
import { WeftError } from '../codec/error.ts';

export type { DangerousIntent };

const filesMax = 1000;
const fileBytesMax = 64 * 1024;

/** Where the library that belongs to this build is: in a clone and in an installed package. */
export function ownLibrary(): string {
  const root = import.meta.url.endsWith('.ts') ? '../../' : '../../../';
  return fileURLToPath(new URL(`${root}test/policy/dangerous`, import.meta.url));
}

/**
 * All dangerous intents of some folders, sorted by id.
 * @throws WeftError LIBRARY_MISSING (no such folder, or nothing in it), LIBRARY_INVALID (a file that is none, an id twice)
 */
export function readLibrary(folders: readonly string[]): DangerousIntent[] {
  const found = new Map<string, DangerousIntent>();
  for (const folder of folders) {
    const names = filesIn(folder);
    if (names.length === 0) {
      throw new WeftError(
        'LIBRARY_MISSING',
        `no dangerous intents in ${folder}: it should hold a JSON file for each; name another folder with --library DIR`,
      );
    }
    for (const name of names) {
      const danger = readDanger(join(folder, name), name.slice(0, -'.json'.length));
      if (found.has(danger.id)) throw invalid(join(folder, name), `there are two called ${danger.id}`);
      found.set(danger.id, danger);
    }
  }
  return [...found.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

function filesIn(folder: string): string[] {
  try {
    const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
    if (names.length > filesMax) throw invalid(folder, `more than ${filesMax} files`);
    return names.sort();
  } catch (error) {
    if (error instanceof WeftError) throw error;
    return [];
  }
}

function readDanger(file: string, id: string): DangerousIntent {
  if (statSync(file).size > fileBytesMax) throw invalid(file, `larger than ${fileBytesMax} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    throw invalid(file, 'it is no JSON');
  }
  const wrong = validate('dangerous-intent', value);
  if (wrong !== undefined) throw invalid(file, wrong);
  const danger = value as DangerousIntent;
  if (danger.id !== id) throw invalid(file, `its id is ${danger.id}; it must be the name of the file`);
  return danger;
}

function invalid(file: string, why: string): WeftError {
  return new WeftError('LIBRARY_INVALID', `${file}: ${why}`);
}
