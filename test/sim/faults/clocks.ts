// Wall clocks that are off, and wall clocks that jump. The monotonic clock never does.
import { type FaultIdea, some, stretch } from './types.ts';

/** More than maxClockDriftMs apart from the others, from the start. */
export const clockSkew: FaultIdea = {
  kind: 'clockSkew',
  effect: 'clock off',
  draw: (prng, machines, endMs) => ({
    fromMs: 0,
    toMs: endMs,
    machines: some(prng, machines, machines),
    amount: prng.between(-1500, 1500),
  }),
  begin(fault, cluster) {
    cluster.world.did('clock off');
    for (const machine of fault.machines)
      for (const node of cluster.at(machine)) node.options.clockOffsetMs += fault.amount;
    return () => {};
  },
};

/** Forwards or back in one moment, and back again later. */
export const clockJump: FaultIdea = {
  kind: 'clockJump',
  effect: 'clock jump',
  draw: (prng, machines, endMs) => ({
    ...stretch(prng, endMs, 50, 3000),
    machines: some(prng, machines, machines),
    amount: prng.pick([-2000, -700, -50, 300, 900, 2000]),
  }),
  begin(fault, cluster) {
    const jump = (byMs: number): void => {
      cluster.world.did('clock jump');
      for (const machine of fault.machines) for (const node of cluster.at(machine)) node.options.clockOffsetMs += byMs;
    };
    jump(fault.amount);
    return () => jump(-fault.amount);
  },
};
