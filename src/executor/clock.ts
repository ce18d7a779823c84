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
 * The time during one run. A permission is a matter of seconds, so a wall clock that is set back between the check and the act
 * must not make it longer: what has passed by the monotonic clock counts at least.
 */
export function steadyNow(clock: Clock): () => number {
  let offset = clock.now() - clock.monotonic();
  return () => {
    const monotonic = clock.monotonic();
    offset = Math.max(offset, clock.now() - monotonic);
    return Math.ceil(monotonic + offset);
  };
}
