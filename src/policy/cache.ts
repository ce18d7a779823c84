/**
 * Bounded memory of decisions, least recently used out first. The key must hold everything that the answer depends on;
 * then forgetting or remembering changes nothing but time.
 */
export class DecisionCache<Value> {
  readonly #entriesMax: number;
  /** A Map iterates in order of insertion: the first key is the one used longest ago. */
  readonly #entries = new Map<string, Value>();

  /** `entriesMax` 0 remembers nothing. */
  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): Value | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  set(key: string, value: Value): void {
    if (this.#entriesMax === 0) return;
    if (this.#entries.size >= this.#entriesMax && !this.#entries.has(key)) {
      const oldest = this.#entries.keys().next();
      if (!oldest.done) this.#entries.delete(oldest.value);
    }
    this.#entries.set(key, value);
  }
}
