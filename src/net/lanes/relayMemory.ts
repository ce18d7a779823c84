import { concat, encodeUtf8 } from '../../codec/utf8.ts';
import { sha256, sha256Hex } from '../../crypto/hash.ts';

/**
 * Remembers for a while what was relayed to whom, so that each message goes to its target once although several ask for
 * it; a sender's retry of the same bytes, later, goes through again.
 */
export class RelayMemory {
  readonly #entriesMax: number;
  readonly #onceMs: number;
  /** Hash → time. Insertion order is age. */
  readonly #seen = new Map<string, number>();

  constructor(entriesMax: number, onceMs: number) {
    this.#entriesMax = entriesMax;
    this.#onceMs = onceMs;
  }

  key(to: string, kind: number, payload: Uint8Array): string {
    return sha256Hex(concat(Uint8Array.of(kind), sha256(payload), encodeUtf8(to)));
  }

  has(key: string, nowMs: number): boolean {
    const atMs = this.#seen.get(key);
    return atMs !== undefined && nowMs - atMs < this.#onceMs;
  }

  add(key: string, nowMs: number): void {
    this.#seen.delete(key);
    this.#seen.set(key, nowMs);
    for (const oldest of this.#seen.keys()) {
      if (this.#seen.size <= this.#entriesMax) return;
      this.#seen.delete(oldest);
    }
  }
}
