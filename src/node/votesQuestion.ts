import type { Network } from '../net/types.ts';
import { frameKinds } from './wire.ts';

/**
 * W11: a validator that starts asks all others of the epoch for its own newest votes, again and again until enough have
 * answered. They may enter the epoch a moment later than it does: at first it asks often, then now and then.
 */
export type QuestionModules = {
  /** The signed question (signOnceMessages.ts). */
  readonly question: () => Uint8Array;
  /** The same with another nonce: what a node asks while it only listens. */
  readonly probe: () => Uint8Array;
  readonly network: () => Network;
  readonly monotonicMs: () => number;
  /**
   * A node that may be a copy listens until then, so that another one with its key is heard voting. Meanwhile it probes: what the
   * others know now they may have forgotten by then, and it counts against this node alone.
   */
  readonly fromMs: number;
};

const often = { times: 20, everyMs: 50 } as const;
const everyMs = 500;

export class VotesQuestion {
  readonly #modules: QuestionModules;
  #timer: NodeJS.Timeout | undefined;
  #asked = 0;
  /** Signed once each: they are the same each time. */
  #probe: Uint8Array | undefined;
  #question: Uint8Array | undefined;
  #over = false;

  constructor(modules: QuestionModules) {
    this.#modules = modules;
  }

  /** Until `stop`. */
  start(): void {
    if (this.#over) return;
    this.ask();
    this.#asked += 1;
    this.#timer = setTimeout(() => this.start(), this.#asked <= often.times ? often.everyMs : everyMs);
  }

  /** At once: somebody has just connected. */
  ask(): void {
    const { network } = this.#modules;
    if (!this.#over) network().broadcast('urgent', frameKinds.myVotes, this.#payload(), { class: 'start' });
  }

  #payload(): Uint8Array {
    const { question, probe, monotonicMs, fromMs } = this.#modules;
    if (monotonicMs() < fromMs) {
      this.#probe ??= probe();
      return this.#probe;
    }
    this.#question ??= question();
    return this.#question;
  }

  /** Answered, or not to be asked any more. For good. */
  stop(): void {
    this.#over = true;
    clearTimeout(this.#timer);
  }
}
