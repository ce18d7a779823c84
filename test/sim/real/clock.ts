// Virtual time under real nodes: their timers run on the simulator's schedule, and between two of its actions every promise
// and immediate runs to its end. Nothing in a node then hangs on the machine: files, database and verifier are in memory.
import { AsyncLocalStorage } from 'node:async_hooks';
import { createSchedule } from '../schedule.ts';

/** From a node's start to its crash or stop. What was set in motion in a life that is over never happens. */
export type Life = { readonly name: string; over: boolean };

export type Clock = {
  nowMs(): number;
  /** An action of the world. */
  after(delayMs: number, action: () => void): void;
  /** Runs code of a node: its timers belong to this life, however deep in its promises they are set. */
  as<T>(life: Life, action: () => T): T;
  /** Whose code is running. */
  life(): Life | undefined;
  /** Runs everything due within `ms`. */
  pass(ms: number): Promise<void>;
  /** Gives the process its own timers back. */
  end(): Promise<void>;
};

type Handle = { over: boolean; ref(): Handle; unref(): Handle; hasRef(): boolean; [Symbol.toPrimitive](): number };

const real = { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate };

export function startClock(): Clock {
  const schedule = createSchedule();
  const lives = new AsyncLocalStorage<Life>();
  let immediates: (() => void)[] = [];
  let handles = 0;

  const newHandle = (): Handle => {
    handles += 1;
    const number = handles;
    const handle: Handle = {
      over: false,
      ref: () => handle,
      unref: () => handle,
      hasRef: () => true,
      [Symbol.toPrimitive]: () => number,
    };
    return handle;
  };

  /** Without a life it is the test runner's, or the simulator's own, and none of our business. */
  const timer = (repeats: boolean) => {
    const plain = repeats ? real.setInterval : real.setTimeout;
    return (action: (...args: unknown[]) => void, delayMs = 0, ...args: unknown[]): unknown => {
      const life = lives.getStore();
      if (life === undefined) return plain(action, delayMs, ...args);
      const handle = newHandle();
      const fire = (): void => {
        if (handle.over || life.over) return;
        if (repeats) schedule.after(Math.max(1, delayMs), fire);
        lives.run(life, () => action(...args));
      };
      schedule.after(Math.max(1, delayMs), fire);
      return handle;
    };
  };
  const clear = (plain: (handle: never) => void) => (handle: unknown) => {
    if (typeof handle === 'object' && handle !== null && 'over' in handle) (handle as Handle).over = true;
    else plain(handle as never);
  };
  const immediate = (action: (...args: unknown[]) => void, ...args: unknown[]): unknown => {
    const life = lives.getStore();
    if (life === undefined) return real.setImmediate(action, ...args);
    const handle = newHandle();
    immediates.push(() => {
      if (!handle.over && !life.over) lives.run(life, () => action(...args));
    });
    return handle;
  };

  Object.assign(globalThis, {
    setTimeout: timer(false),
    setInterval: timer(true),
    setImmediate: immediate,
    clearTimeout: clear(real.clearTimeout),
    clearInterval: clear(real.clearInterval),
    clearImmediate: clear(real.clearImmediate),
  });

  /** A turn of the real event loop runs every microtask that is due, and those that they make due. */
  const settle = async (): Promise<void> => {
    for (;;) {
      await new Promise((resolve) => real.setImmediate(resolve));
      // What still goes to a real disk (a node looks for snapshots as it starts) takes no virtual time.
      if (process.getActiveResourcesInfo().some((what) => what.startsWith('FSReq'))) continue;
      if (immediates.length === 0) return;
      const batch = immediates;
      immediates = [];
      for (const action of batch) action();
    }
  };

  return {
    nowMs: () => schedule.nowMs(),
    after: (delayMs, action) => schedule.after(delayMs, action),
    as: (life, action) => lives.run(life, action),
    life: () => lives.getStore(),
    async pass(ms) {
      await settle();
      const untilMs = schedule.nowMs() + ms;
      while (schedule.runOne(untilMs)) await settle();
      schedule.runUntil(untilMs);
    },
    end: async () => {
      await settle();
      Object.assign(globalThis, real);
    },
  };
}
