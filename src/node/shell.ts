import type { Effect, Event, JournalRecord, Moment } from '../../consensus/types.ts';

/**
 * The engine's shell: gives it time and events, one at a time, and lets what it says out in the right order.
 *
 * W1: journal records and blocks are appended at once; everything outward (messages, fetches, evidence) waits in
 * one FIFO until what was appended before it is durable. One sync is under way at a time; what comes meanwhile shares the next.
 * Certificates and floors alone start none: they are made durable before the next thing that leaves.
 */

export type OutwardEffect = Extract<Effect, { type: 'broadcast' | 'send' | 'fetch' | 'epochEnded' | 'evidence' }>;
export type InwardEffect = Extract<Effect, { type: 'build' | 'verify' | 'certify' | 'finalized' | 'voting' | 'halt' }>;

export type ShellModules = {
  /** The engine's `step`, bound to its state. */
  readonly step: (event: Event, at?: Moment) => readonly Effect[];
  readonly appendRecord: (record: JournalRecord) => void;
  /** Appends header and body of a block that the shell's owner holds. */
  readonly appendBlock: (blockId: string) => void;
  /** Resolves when everything appended before the call is durable. */
  readonly sync: () => Promise<void>;
  /** Leaves in order, each only after what came before it is durable. */
  readonly outward: (effect: OutwardEffect) => void;
  readonly inward: (effect: InwardEffect) => void;
  /** After each turn of the engine. */
  readonly turned?: () => void;
  /** Storage refused: nothing more is released, the node no longer votes. */
  readonly failed: (error: unknown) => void;
  /** Monotonic milliseconds. */
  readonly monotonicMs: () => number;
  /** Milliseconds UTC. */
  readonly wallMs: () => number;
};

/** Events kept while the journal is made ready; peers repeat what matters. */
const earlyMax = 4096;
/**
 * What waits for the disk. What the engine says to all comes once a vote or certificate; answers and questions to single peers come
 * as often as those ask, and a disk that hangs would let them fill the memory: above this they are dropped, and asked for again.
 */
export const heldMax = 8192;

export class ConsensusShell {
  readonly #modules: ShellModules;
  readonly #events: Event[] = [];
  readonly #held: OutwardEffect[] = [];
  /** Ordinals of outward effects: of the next one to be held, the next one to leave, and the first that may not leave yet. */
  #heldNext = 0;
  #leftNext = 0;
  #mayLeaveBefore = 0;
  #begun = false;
  #running = false;
  #lettingOut = false;
  #syncing = false;
  /** Something was appended since the last sync began; `#urgent`: something that does not wait for company. */
  #dirty = false;
  #urgent = false;
  #stopped = false;
  #lastSeq = 0;
  #timer: NodeJS.Timeout | undefined;
  #wakeAtMs: number | undefined;
  /** The time that the engine was last told. */
  #tickedMs = 0;
  #idle: (() => void)[] = [];
  /** Answers and questions to peers that were dropped behind a slow disk. */
  dropped = 0;

  constructor(modules: ShellModules) {
    this.#modules = modules;
  }

  /** The engine's first event; what came before it (a peer was faster than our disk) follows. */
  begin(): void {
    this.#begun = true;
    this.#events.unshift({ type: 'start' });
    this.handle();
  }

  /** What waits for the disk. */
  get held(): number {
    return this.#held.length;
  }

  /** Hands the engine an event, or the time alone. Safe to call from within an effect: events queue up and run in order. */
  handle(event?: Event): void {
    if (this.#stopped) return;
    if (event !== undefined && (this.#begun || this.#events.length < earlyMax)) this.#events.push(event);
    if (this.#running || !this.#begun) return;
    this.#running = true;
    try {
      this.#tickedMs = this.#modules.monotonicMs();
      const at = { monotonicMs: this.#tickedMs, wallMs: this.#modules.wallMs() };
      const first = this.#events.shift();
      if (first === undefined) this.#apply({ type: 'tick', ...at });
      else this.#apply(first, at);
      for (let next = this.#events.shift(); next !== undefined && !this.#stopped; next = this.#events.shift()) {
        this.#apply(next);
      }
    } catch (error) {
      // A broken assertion means that what we would say next cannot be trusted: stop at once, say why.
      this.#fail(error);
    } finally {
      this.#running = false;
    }
    this.#release();
    if (!this.#stopped) this.#modules.turned?.();
  }

  /** An event that causes no effect and needs no time: it costs no turn. What peers show before the engine runs they show again. */
  tell(event: Event): void {
    if (this.#stopped || !this.#begun) return;
    if (this.#running) this.#events.push(event);
    else this.#apply(event);
  }

  /** No more events, no more releases. Resolves when a sync that is under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#held.length = 0;
    this.#events.length = 0;
    if (this.#syncing) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #apply(event: Event, at?: Moment): void {
    for (const effect of this.#modules.step(event, at)) {
      switch (effect.type) {
        case 'journal':
          this.#modules.appendRecord(effect.record);
          this.#lastSeq = effect.seq;
          this.#dirty = true;
          if (!mayWait(effect.record)) this.#urgent = true;
          break;
        case 'store':
          this.#modules.appendBlock(effect.block.id);
          this.#dirty = true;
          break;
        case 'wake':
          this.#wake(effect.atMs);
          break;
        case 'build':
        case 'verify':
        case 'certify':
        case 'finalized':
        case 'voting':
        case 'halt':
          this.#modules.inward(effect);
          break;
        default:
          if (this.#held.length >= heldMax && (effect.type === 'send' || effect.type === 'fetch')) {
            this.dropped += 1;
            break;
          }
          this.#held.push(effect);
          this.#heldNext += 1;
      }
    }
  }

  #wake(atMs: number | undefined): void {
    clearTimeout(this.#timer);
    this.#wakeAtMs = atMs;
    if (atMs === undefined) return;
    const delay = Math.max(0, Math.ceil(atMs - this.#modules.monotonicMs()));
    this.#timer = setTimeout(() => {
      this.handle();
      // A timer may fire a moment early. The engine says nothing then: what it asked for still stands.
      if (this.#wakeAtMs === atMs && this.#tickedMs < atMs && !this.#stopped) this.#wake(atMs);
    }, delay);
  }

  get #mustSync(): boolean {
    return this.#urgent || (this.#dirty && this.#held.length > 0);
  }

  #release(): void {
    if (this.#syncing || this.#stopped) return;
    if (!this.#mustSync) {
      this.#letOut(this.#heldNext);
      return;
    }
    this.#syncing = true;
    void this.#syncLoop();
  }

  async #syncLoop(): Promise<void> {
    try {
      while (this.#mustSync && !this.#stopped) {
        this.#dirty = false;
        this.#urgent = false;
        const upTo = this.#heldNext;
        const seq = this.#lastSeq;
        await this.#modules.sync();
        if (this.#stopped) break;
        this.#letOut(upTo);
        // Own votes enter the own tally only now; what that causes is appended and shares the next sync.
        this.handle({ type: 'journaled', seq });
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#syncing = false;
      for (const resolve of this.#idle.splice(0)) resolve();
    }
    if (this.#held.length > 0 && !this.#stopped) this.#release();
  }

  #letOut(upTo: number): void {
    this.#mayLeaveBefore = Math.max(this.#mayLeaveBefore, upTo);
    // What leaves may cause events, and those end here again: the loop that is already running keeps the order.
    if (this.#lettingOut) return;
    this.#lettingOut = true;
    try {
      while (this.#leftNext < this.#mayLeaveBefore) {
        const effect = this.#held.shift();
        if (effect === undefined) break;
        this.#leftNext += 1;
        this.#modules.outward(effect);
      }
    } finally {
      this.#lettingOut = false;
    }
  }

  #fail(error: unknown): void {
    if (this.#stopped) return;
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#held.length = 0;
    this.#events.length = 0;
    this.#modules.failed(error);
  }
}

/** Nothing rests on when it is durable: who loses it hears it again, and what is committed is in the store. */
function mayWait({ kind }: JournalRecord): boolean {
  return kind === 'certificate' || kind === 'floor';
}
