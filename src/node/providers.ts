import type { SyncModules } from './sync.ts';

/** Those who bring blocks: what they say they have, and how they kept to it. Decides whom to ask next, for how much, for how long. */

const runBytesMax = 1024 * 1024;
/** A peer that was too slow is asked for less, and waited for longer, the next time. */
const runBytesMin = 64 * 1024;
const answerMs = { first: 3000, longest: 10_000 } as const;
/** An answer that takes longer may be a lame line or a liar's: next time somebody is asked who has not been, if there is one. */
const briskMs = 1000;
/** So many answers in a row of the fastest peer, and another one gets the chance to be faster. */
const exploreEvery = 16;
/** Bytes a millisecond, of which nobody needs to be asked who brought nothing the last time: waiting for it costs seconds. */
const goodPace = 64;
/** How long a peer that brought nothing is passed over: doubles with each time in a row. */
const passedOverMs = { first: 100, longest: 30_000 } as const;
/** So often in a row a peer may fail to show the blocks that it says it has, before its word is no longer counted. */
export const brokenMax = 3;

type Conduct = {
  failures: number;
  notBeforeMs: number;
  askedMs: number;
  /** Times in a row that it did not show what it said it had. */
  broken: number;
  /** It holds nothing below this height. */
  holdsFrom: number;
  /** Of its last answer, in bytes of blocks a millisecond; undefined before the first, 0 when it brought none. */
  pace: number | undefined;
  brisk: boolean;
  /** Height from which it offered only headers without end. */
  longFrom: number;
};

export class Providers {
  readonly #modules: Pick<SyncModules, 'askable' | 'isValidator' | 'monotonicMs'>;
  /** Peer → the greatest height that it said it had finalized. */
  readonly #heights = new Map<string, number>();
  /** How peers answered so far. It outlives their lanes, so that nobody comes back with a clean slate. */
  readonly #conduct = new Map<string, Conduct>();
  /** Questions in a row to whoever is the fastest. */
  #streak = 0;

  constructor(modules: Pick<SyncModules, 'askable' | 'isValidator' | 'monotonicMs'>) {
    this.#modules = modules;
  }

  heard(peer: string, height: number): void {
    // Height 0 is a word too: at a chain's beginning it is what outvotes a liar.
    if (height > (this.#heights.get(peer) ?? -1)) this.#heights.set(peer, height);
  }

  /** Its word; its conduct is remembered. */
  forget(peer: string): void {
    this.#heights.delete(peer);
  }

  heightOf(peer: string): number {
    return this.#heights.get(peer) ?? 0;
  }

  /** The greatest of all validators' words, believed or not. */
  highestWord(): number {
    return Math.max(0, ...[...this.#heights].map(([peer, word]) => (this.#modules.isValidator(peer) ? word : 0)));
  }

  /** Words of validators that count: who promised blocks and did not show them is not believed until it does. */
  words(): number[] {
    return [...this.#heights]
      .filter(([peer]) => this.#modules.isValidator(peer) && (this.#conduct.get(peer)?.broken ?? 0) < brokenMax)
      .map(([, height]) => height)
      .sort((a, b) => b - a);
  }

  /**
   * Of those who said that they have the block (then of all): who brought most in the least time, and now and then, or when nobody
   * brought anything, who was not asked for longest.
   * Undefined while all of them are passed over.
   */
  choose(from: number): string | undefined {
    const now = this.#modules.monotonicMs();
    const ready = this.#modules.askable().filter((name) => (this.#conduct.get(name)?.notBeforeMs ?? 0) <= now);
    const able = ready.filter((name) => (this.#heights.get(name) ?? 0) >= from);
    // What was pruned does not come back, but a peer may have been exchanged for one that holds more.
    const whole = able.filter((name) => (this.#conduct.get(name)?.holdsFrom ?? 0) <= from);
    const candidates = whole.length > 0 ? whole : able.length > 0 ? able : ready;
    const oldest = (names: readonly string[]): string | undefined =>
      names.reduce<string | undefined>(
        (best, name) => (best === undefined || this.#askedMs(name) < this.#askedMs(best) ? name : best),
        undefined,
      );
    const pace = (name: string): number => this.#conduct.get(name)?.pace ?? 0;
    const fastest = candidates.reduce((best, name) => (best === '' || pace(name) > pace(best) ? name : best), '');
    if (fastest === '' || pace(fastest) === 0) return oldest(candidates);
    // Whoever answers, and brings little or slowly, is measured against the others: one fast answer is no privilege.
    const others = candidates.filter((name) => name !== fastest);
    const unknown = others.filter((name) => this.#conduct.get(name)?.pace === undefined);
    this.#streak += 1;
    const other =
      this.#conduct.get(fastest)?.brisk === false && unknown.length > 0
        ? oldest(unknown)
        : this.#streak > exploreEvery
          ? oldest(pace(fastest) < goodPace ? others : others.filter((name) => this.#conduct.get(name)?.pace !== 0))
          : undefined;
    if (other === undefined) return fastest;
    this.#streak = 0;
    return other;
  }

  #askedMs(peer: string): number {
    return this.#conduct.get(peer)?.askedMs ?? Number.NEGATIVE_INFINITY;
  }

  terms(peer: string): { bytesMax: number; timeoutMs: number } {
    const { failures } = this.conductOf(peer);
    return {
      bytesMax: Math.max(runBytesMin, runBytesMax / 2 ** failures),
      timeoutMs: Math.min(answerMs.longest, answerMs.first * 2 ** failures),
    };
  }

  /** So many bytes of blocks in so long. */
  answered(peer: string, bytes: number, tookMs: number): void {
    const conduct = this.conductOf(peer);
    conduct.pace = bytes / Math.max(1, tookMs);
    conduct.brisk = tookMs <= briskMs;
  }

  /** It said that it has these blocks, and did not show them. */
  broke(peer: string, weight: number): void {
    this.conductOf(peer).broken += 1;
    this.failed(peer, weight);
  }

  failed(peer: string, weight: number): void {
    const conduct = this.conductOf(peer);
    conduct.pace = 0;
    conduct.failures = Math.min(16, conduct.failures + weight);
    const pauseMs = Math.min(passedOverMs.longest, passedOverMs.first * 2 ** (conduct.failures - 1));
    conduct.notBeforeMs = this.#modules.monotonicMs() + pauseMs;
  }

  conductOf(peer: string): Conduct {
    const known = this.#conduct.get(peer);
    if (known !== undefined) return known;
    const conduct: Conduct = {
      failures: 0,
      notBeforeMs: 0,
      askedMs: Number.NEGATIVE_INFINITY,
      broken: 0,
      holdsFrom: 0,
      pace: undefined,
      brisk: true,
      longFrom: -1,
    };
    this.#conduct.set(peer, conduct);
    return conduct;
  }
}
