import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A frozen vector file of test/vectors/crypto. */
export function vectors<T>(name: string): T {
  return JSON.parse(readFileSync(join(import.meta.dirname, '..', 'vectors', 'crypto', name), 'utf8')) as T;
}
