// Machines that are there and do nothing: stopped for a while (SIGSTOP), or slow to know whether a block is valid.
import { type FaultIdea, some, stretch } from './types.ts';

export const freeze: FaultIdea = {
  kind: 'freeze',
  effect: 'freeze',
  draw: (prng, machines, endMs) => ({
    ...stretch(prng, endMs, 100, 4000),
    machines: some(prng, machines, Math.max(1, machines - 1)),
    amount: 0,
  }),
  begin(fault, cluster) {
    const nodes = fault.machines.flatMap((machine) => cluster.at(machine));
    for (const node of nodes) {
      if (node.up) cluster.world.did('freeze');
      node.freeze();
    }
    return () => {
      for (const node of nodes) node.thaw();
    };
  },
};

/** W4: the verdict on a block is pending for a while. */
export const slowChecks: FaultIdea = {
  kind: 'slowChecks',
  effect: 'pending verdict',
  draw: (prng, machines, endMs) => ({
    ...stretch(prng, endMs, 500, 6000),
    machines: some(prng, machines, machines),
    amount: 0.1,
  }),
  begin(fault, cluster, prng) {
    const nodes = fault.machines.flatMap((machine) => cluster.at(machine));
    for (const node of nodes) node.pends = () => (prng.chance(fault.amount) ? prng.int(30) : undefined);
    return () => {
      for (const node of nodes) node.pends = () => undefined;
    };
  },
};
