import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What a database makes of its log, in its own time: it would be counted twice, or against what went away. */
const madeByItself = /\.(ldb|sst)$|^(MANIFEST-\d+|CURRENT|LOCK|LOG(\.old)?)$/;

/**
 * Bytes that were appended to the files of a folder while somebody looked: what journals and databases were given, whatever they put
 * together, compress or take away meanwhile. So it is never negative, and the same whether or not a table was made just then.
 */
export class Appended {
  readonly #folder: string;
  /** Path → size at first, largest size so far. */
  readonly #sizes = new Map<string, { readonly first: number; most: number }>();

  constructor(folder: string) {
    this.#folder = folder;
    for (const [path, size] of sizesIn(folder)) this.#sizes.set(path, { first: size, most: size });
  }

  /** Often enough that no file comes and goes between. */
  look(): void {
    for (const [path, size] of sizesIn(this.#folder)) {
      const known = this.#sizes.get(path);
      if (known === undefined) this.#sizes.set(path, { first: 0, most: size });
      else known.most = Math.max(known.most, size);
    }
  }

  get bytes(): number {
    let bytes = 0;
    for (const { first, most } of this.#sizes.values()) bytes += most - first;
    return bytes;
  }
}

function* sizesIn(folder: string): Generator<readonly [path: string, size: number]> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sizesIn(path);
    // Files go while we look.
    else if (!madeByItself.test(entry.name)) yield [path, statSync(path, { throwIfNoEntry: false })?.size ?? 0];
  }
}
