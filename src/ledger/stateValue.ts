import type { Json, StateChanges } from '../../contracts/types.ts';
import { canonicalJson } from '../codec/canonical.ts';
import { encodeUtf8 } from '../codec/utf8.ts';
import { sha256Text } from '../crypto/hash.ts';
import { type DigestText, stateKeyText } from '../log/stateTree.ts';

/**
 * Changes of state in the one form in which everybody holds them: read back from canonical JSON and frozen. A contract that
 * copied a value into a record would else write other bytes on a node that has read its state from the disk than on one that
 * still has the object that the contract made.
 */
export class StateWrites {
  /** Path → value, null = deleted. */
  readonly values = new Map<string, Json | null>();
  /** Path → canonical JSON, null = deleted. */
  readonly canonical = new Map<string, Uint8Array | null>();

  add(changes: StateChanges): this {
    for (const [path, value] of changes) {
      if (value === null) {
        this.values.set(path, null);
        this.canonical.set(path, null);
        continue;
      }
      const text = canonicalJson(value);
      this.values.set(path, freeze(JSON.parse(text) as Json));
      this.canonical.set(path, encodeUtf8(text));
    }
    return this;
  }

  /** For StateTree.update. */
  *hashes(): Generator<readonly [DigestText, DigestText | null]> {
    for (const [path, canonical] of this.canonical) {
      yield [stateKeyText(sha256Text, path), canonical === null ? null : sha256Text(canonical)];
    }
  }
}

export function freeze(value: Json): Json {
  if (typeof value === 'object' && value !== null) {
    for (const member of Object.values(value)) freeze(member as Json);
    Object.freeze(value);
  }
  return value;
}
