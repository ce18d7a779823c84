import { setTimeout as sleep } from 'node:timers/promises';

/** What an executor knows of time; a test brings its own. */
export type Clock = {
  /** Milliseconds UTC. */
  now(): number;
  /** Milliseconds from any moment on, never backwards. */
  monotonic(): number;
  /** Resolves early, and without an error, when the signal is raised. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
};

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  async sleep(ms, signal) {
    await sleep(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  },
};

/**
 * The time during one run, never before `floor`. A permission is a matter of seconds, so a wall clock that is set back between the check and the act
 * must not make it longer: what has passed by the monotonic clock counts at least.
 */
export function steadyNow(clock: Clock, floor: ProvenTime): () => number {
  let offset = clock.now() - clock.monotonic();
  return () => {
    const monotonic = clock.monotonic();
    offset = Math.max(offset, clock.now() - monotonic, floor.offset);
    return Math.ceil(monotonic + offset);
  };
}

/** How far a checkpoint may be ahead of this clock (src/token/state.ts). */
const aheadMsMax = 2_000;

/**
 * Checkpoints tell the time: it is at least what an honest validator wrote on the newest, and what has passed since by the monotonic clock.
 * A wall clock that is set back makes no status of yesterday fresh, for as long as this process lives.
 */
export class ProvenTime {
  readonly #clock: Clock;
  /** Of the monotonic clock from the least that the time can be, milliseconds. */
  offset = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A checkpoint of this time (milliseconds UTC) was verified. */
  saw(checkpointTime: number): void {
    this.offset = Math.max(this.offset, checkpointTime - aheadMsMax - this.#clock.monotonic());
  }
}
