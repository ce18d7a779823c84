// Disks: one that takes its time, and one that loses what it said was safe (its machine counts among the f that may fail).
import { type FaultIdea, some, stretch } from './types.ts';

export const slowDisk: FaultIdea = {
  kind: 'slowDisk',
  effect: 'slow disk',
  draw: (prng, machines, endMs) => ({
    ...stretch(prng, endMs, 500, 4000),
    machines: some(prng, machines, 3),
    amount: prng.pick([50, 300, 1000]),
  }),
  begin(fault, cluster) {
    const nodes = fault.machines.flatMap((machine) => cluster.at(machine));
    for (const node of nodes) node.extraSyncMs = fault.amount;
    return () => {
      for (const node of nodes) node.extraSyncMs = 0;
    };
  },
};

/** Each power loss takes up to `amount` durable records from the journal's end. Never mended. */
export const lyingDisk: FaultIdea = {
  kind: 'lyingDisk',
  effect: 'rolled back',
  draw: (prng, machines) => ({ fromMs: 0, toMs: 0, machines: [prng.int(machines)], amount: 12 }),
  begin(fault, cluster, prng) {
    for (const machine of fault.machines)
      for (const node of cluster.at(machine)) node.rollsBack = () => prng.int(fault.amount + 1);
    return () => {};
  },
};
