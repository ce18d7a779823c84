import type { Json, StateReader } from './types.ts';

/** State under changes of one's own. */
export class Draft implements StateReader {
  readonly #below: StateReader;
  readonly changes = new Map<string, Json | null>();

  constructor(below: StateReader) {
    this.#below = below;
  }

  get(path: string): Json | undefined {
    const value = this.changes.get(path);
    return value === undefined ? this.#below.get(path) : (value ?? undefined);
  }

  set(path: string, value: Json | null): void {
    this.changes.set(path, value);
  }
}
