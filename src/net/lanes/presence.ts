/**
 * Who was heard when. *Direct* is any frame on a lane with the validator; *indirect* is its name in another's ping or its
 * verified signature in a relayed message, and is taken down only while there is no living lane to it (design 4: a lie
 * about somebody delays only the idle rule W7).
 */
export class Presence {
  readonly #aliveMs: number;
  readonly #seen = new Map<
    string,
    { sinceMs: number; directMs: number; indirectMs: number; listed: Map<string, number> }
  >();

  /** `aliveMs`: heard directly within this time = has a living lane. */
  constructor(aliveMs: number) {
    this.#aliveMs = aliveMs;
  }

  /** Adds and forgets, so that exactly these validators are watched. */
  watch(validators: Iterable<string>, nowMs: number): void {
    const wanted = new Set(validators);
    for (const name of this.#seen.keys()) if (!wanted.has(name)) this.#seen.delete(name);
    for (const entry of this.#seen.values()) {
      for (const by of entry.listed.keys()) if (!wanted.has(by)) entry.listed.delete(by);
    }
    for (const name of wanted) {
      if (this.#seen.has(name)) continue;
      const never = Number.NEGATIVE_INFINITY;
      this.#seen.set(name, { sinceMs: nowMs, directMs: never, indirectMs: never, listed: new Map() });
    }
  }

  direct(name: string, nowMs: number): void {
    const entry = this.#seen.get(name);
    if (entry !== undefined) entry.directMs = nowMs;
  }

  /** The ping of `by` listed these names. Returns those that were thereby heard. */
  listed(by: string, names: readonly string[], nowMs: number): string[] {
    const heard: string[] = [];
    if (!this.#seen.has(by)) return heard;
    for (const name of names) {
      if (name === by) continue;
      this.#seen.get(name)?.listed.set(by, nowMs);
      if (this.indirect(name, nowMs)) heard.push(name);
    }
    return heard;
  }

  /** Signed word of `name` came through somebody else. False when it does not count: unknown, or heard directly anyway. */
  indirect(name: string, nowMs: number): boolean {
    const entry = this.#seen.get(name);
    if (entry === undefined || this.alive(name, nowMs)) return false;
    entry.indirectMs = nowMs;
    return true;
  }

  alive(name: string, nowMs: number): boolean {
    const entry = this.#seen.get(name);
    return entry !== undefined && nowMs - entry.directMs <= this.#aliveMs;
  }

  /** True once there has been no direct word for `aliveMs`, counted from the start of the watch. */
  needsRelay(name: string, nowMs: number): boolean {
    const entry = this.#seen.get(name);
    return entry !== undefined && nowMs - Math.max(entry.directMs, entry.sinceMs) > this.#aliveMs;
  }

  /** Validators whose pings of late say that they hear `name`: those who can relay to it. */
  relaysTo(name: string, nowMs: number): string[] {
    const relays: string[] = [];
    for (const [by, atMs] of this.#seen.get(name)?.listed ?? []) {
      if (nowMs - atMs <= this.#aliveMs && this.alive(by, nowMs)) relays.push(by);
    }
    return relays;
  }

  /** Names heard directly within `aliveMs`: the content of our ping. */
  heardDirectly(nowMs: number): string[] {
    return [...this.#seen.keys()].filter((name) => this.alive(name, nowMs));
  }

  /** Milliseconds since the last sign of life, or the last one that nobody else can have made up; Infinity = never. */
  heardMs(name: string, nowMs: number, directly?: 'directly'): number {
    const entry = this.#seen.get(name);
    if (entry === undefined) return Number.POSITIVE_INFINITY;
    return nowMs - (directly === undefined ? Math.max(entry.directMs, entry.indirectMs) : entry.directMs);
  }
}
