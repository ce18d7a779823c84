import type { Network } from '../net/types.ts';
import { frameKinds } from './wire.ts';

/**
 * W11: a validator that starts asks all others of the epoch for its own newest votes, again and again until enough have
 * answered. They may enter the epoch a moment later than it does: at first it asks often, then now and then.
 */
export type QuestionModules = {
  /** The signed question (signOnceMessages.ts). */
  readonly payload: () => Uint8Array;
  readonly network: () => Network;
  readonly monotonicMs: () => number;
  /** Not before this: a node that may be a copy listens first. */
  readonly fromMs: number;
};

const often = { times: 20, everyMs: 50 } as const;
const everyMs = 500;

export class VotesQuestion {
  readonly #modules: QuestionModules;
  #timer: NodeJS.Timeout | undefined;
  #asked = 0;
  /** Signed once: it is the same each time. */
  #payload: Uint8Array | undefined;
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
    const { payload, network, monotonicMs, fromMs } = this.#modules;
    if (this.#over || monotonicMs() < fromMs) return;
    this.#payload ??= payload();
    network().broadcast('urgent', frameKinds.myVotes, this.#payload, { class: 'start' });
  }

  /** Answered, or not to be asked any more. For good. */
  stop(): void {
    this.#over = true;
    clearTimeout(this.#timer);
  }
}
