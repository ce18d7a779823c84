import type { SendHint } from '../types.ts';

/**
 * Outgoing messages of one lane. Bounded in count and bytes; when it overflows it keeps, per kind, the newest views, and
 * a certificate displaces its votes (design: a lane never blocks the engine, its retry timer repairs what was dropped).
 *
 * The rule, step by step, while the queue with the new message is above a bound:
 *  1. votes whose certificate (same view, `displaces` names their kind) is queued or is the new message go first;
 *  2. else the kind that takes the largest share of the exceeded bound loses its lowest view (no view counts as lowest),
 *     the oldest of equals. That may be the new message itself.
 */
export type Queued = { readonly kind: number; readonly payload: Uint8Array; readonly hint: SendHint };

export type QueueOptions = { readonly messagesMax: number; readonly bytesMax: number };

export class LaneQueue {
  readonly #options: QueueOptions;
  #items: Queued[] = [];
  #bytes = 0;
  #dropped = 0;

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  get length(): number {
    return this.#items.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get dropped(): number {
    return this.#dropped;
  }

  has(kind: number): boolean {
    return this.#items.some((item) => item.kind === kind);
  }

  /** False = the new message itself was dropped. */
  push(item: Queued): boolean {
    this.#items.push(item);
    this.#bytes += item.payload.length;
    if (!this.#over()) return true;
    this.#dropDisplaced();
    while (this.#over()) this.#remove(this.#victim());
    return this.#items.includes(item);
  }

  shift(): Queued | undefined {
    const item = this.#items.shift();
    if (item !== undefined) this.#bytes -= item.payload.length;
    return item;
  }

  peek(): Queued | undefined {
    return this.#items[0];
  }

  clear(): void {
    this.#items = [];
    this.#bytes = 0;
  }

  #over(): boolean {
    return this.#items.length > this.#options.messagesMax || this.#bytes > this.#options.bytesMax;
  }

  #dropDisplaced(): void {
    const displaced = new Set<string>();
    for (const { hint } of this.#items) {
      if (hint.class === 'certificate' && hint.displaces !== undefined && hint.view !== undefined) {
        displaced.add(`${hint.displaces}/${hint.view}`);
      }
    }
    if (displaced.size === 0) return;
    const kept = this.#items.filter(
      ({ kind, hint }) => hint.class !== 'vote' || hint.view === undefined || !displaced.has(`${kind}/${hint.view}`),
    );
    this.#dropped += this.#items.length - kept.length;
    this.#items = kept;
    this.#bytes = kept.reduce((sum, item) => sum + item.payload.length, 0);
  }

  #victim(): number {
    const byCount = this.#items.length > this.#options.messagesMax;
    const share = new Map<number, number>();
    for (const { kind, payload } of this.#items) {
      share.set(kind, (share.get(kind) ?? 0) + (byCount ? 1 : payload.length));
    }
    let heaviest = -1;
    let weight = -1;
    for (const [kind, taken] of share) {
      if (taken > weight) {
        heaviest = kind;
        weight = taken;
      }
    }
    let victim = 0;
    let lowest = Number.POSITIVE_INFINITY;
    for (const [index, { kind, hint }] of this.#items.entries()) {
      const view = hint.view ?? -1;
      if (kind === heaviest && view < lowest) {
        victim = index;
        lowest = view;
      }
    }
    return victim;
  }

  #remove(index: number): void {
    const [item] = this.#items.splice(index, 1);
    if (item === undefined) return;
    this.#bytes -= item.payload.length;
    this.#dropped++;
  }
}
