// Machines that lose power: at some journal writes, at some commits, all at once, again and again; what was not synced is lost,
// and the record at the cut may be torn. The scenario boots them again.
import { crashPoints } from '../host.ts';
import { type FaultIdea, some, stretch } from './types.ts';

function crashes(kind: string, what: 'journal' | 'commit', amounts: readonly number[]): FaultIdea {
  return {
    kind,
    effect: `crash at a ${what === 'journal' ? 'journal write' : 'commit'}`,
    draw: (prng, machines, endMs) => ({
      ...stretch(prng, endMs, 500, 6000),
      machines: some(prng, machines, machines),
      amount: prng.pick(amounts),
    }),
    begin(fault, cluster, prng) {
      const nodes = fault.machines
        .filter((machine) => cluster.honest(machine))
        .flatMap((machine) => cluster.at(machine));
      const before = nodes.map((node) => node.crashAt);
      for (const [i, node] of nodes.entries()) {
        node.crashAt = (at) => (at === what && prng.chance(fault.amount) ? prng.pick(crashPoints) : before[i]!(at));
      }
      return () => {
        for (const node of nodes) node.crashAt = () => undefined;
      };
    },
  };
}

export const crashAtWrites = crashes('crashAtWrites', 'journal', [0.002, 0.01, 0.05]);

export const crashAtCommits = crashes('crashAtCommits', 'commit', [0.05, 0.3]);

/** Some machines, or all, lose power at one moment. */
export const blackout: FaultIdea = {
  kind: 'blackout',
  effect: 'blackout',
  draw(prng, machines, endMs) {
    const all = prng.chance(0.6);
    const fromMs = prng.int(endMs);
    return {
      fromMs,
      toMs: fromMs,
      machines: all ? [...Array(machines).keys()] : some(prng, machines, machines),
      amount: 0,
    };
  },
  begin(fault, cluster) {
    for (const machine of fault.machines) {
      if (!cluster.honest(machine)) continue;
      for (const node of cluster.at(machine)) {
        if (node.up) cluster.world.did('blackout');
        node.crash();
      }
    }
    return () => {};
  },
};

/** The same, at the very end: what phase 2 starts from is only what is on the disks. */
export const darkEnd: FaultIdea = {
  kind: 'darkEnd',
  effect: 'blackout',
  draw: (_prng, machines, endMs) => ({
    fromMs: endMs - 1,
    toMs: endMs - 1,
    machines: [...Array(machines).keys()],
    amount: 0,
  }),
  begin: blackout.begin,
};

/** A power loss may leave the record after the last whole one torn. */
export const tornRecords: FaultIdea = {
  kind: 'tornRecords',
  effect: 'torn record',
  draw: (prng, machines, endMs) => ({ fromMs: 0, toMs: endMs, machines: some(prng, machines, machines), amount: 0.7 }),
  begin(fault, cluster, prng) {
    for (const machine of fault.machines)
      for (const node of cluster.at(machine)) node.tears = () => prng.chance(fault.amount);
    return () => {};
  },
};
