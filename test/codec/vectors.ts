import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A frozen vector file of test/vectors/codec. */
export function vectors<T>(name: string): T {
  return JSON.parse(readFileSync(join(import.meta.dirname, '..', 'vectors', 'codec', name), 'utf8')) as T;
}

/** The error code of a call, or what it returned as "accepted". */
export function verdict(call: () => unknown): string {
  try {
    call();
    return 'accepted';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : `uncoded: ${String(error)}`;
  }
}
