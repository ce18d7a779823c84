// Links that carry nothing: halves, one direction only, a ring, two halves joined by one machine, one machine alone, and one
// machine dead while a link between two others is cut (without a relay that stops four validators).
import type { Prng } from '../prng.ts';
import { type Cluster, type Fault, type FaultIdea, stretch } from './types.ts';

type Cut = (from: number, to: number, fault: Fault, machines: number) => boolean;

function partition(
  kind: string,
  machinesMin: number,
  cuts: Cut,
  side?: (prng: Prng, machines: number) => number[],
): FaultIdea {
  return {
    kind,
    effect: 'cut',
    draw(prng, machines, endMs) {
      if (machines < machinesMin) return undefined;
      const members = side?.(prng, machines) ?? prng.shuffle([...Array(machines).keys()]);
      return { ...stretch(prng, endMs, 50, 1500), machines: members, amount: 0 };
    },
    begin(fault, cluster) {
      return cutLinks(cluster, (from, to) => cuts(from, to, fault, cluster.machines));
    },
  };
}

function cutLinks(cluster: Cluster, cuts: (from: number, to: number) => boolean): () => void {
  const done: [number, number][] = [];
  for (let from = 0; from < cluster.machines; from += 1) {
    for (let to = 0; to < cluster.machines; to += 1) if (from !== to && cuts(from, to)) done.push([from, to]);
  }
  const { network } = cluster.world;
  for (const [from, to] of done) network.cut(from, to);
  return () => {
    for (const [from, to] of done) network.mend(from, to);
  };
}

const half = (prng: Prng, machines: number): number[] => {
  const order = prng.shuffle([...Array(machines).keys()]);
  return order.slice(0, prng.between(1, machines - 1));
};
const inside = (fault: Fault, machine: number): boolean => fault.machines.includes(machine);

export const split = partition('split', 2, (from, to, fault) => inside(fault, from) !== inside(fault, to), half);

export const oneWay = partition('oneWay', 2, (from, to, fault) => inside(fault, from) && !inside(fault, to), half);

/** Each reaches its two neighbours in `machines` only. */
export const ring = partition('ring', 4, (from, to, { machines: order }) => {
  const distance = Math.abs(order.indexOf(from) - order.indexOf(to));
  return order.includes(from) && order.includes(to) && distance !== 1 && distance !== order.length - 1;
});

/** The first of `machines` reaches everybody, the two halves of the others only it. */
export const bridge = partition('bridge', 3, (from, to, { machines: order }) => {
  const a = order.indexOf(from);
  const b = order.indexOf(to);
  if (a < 0 || b < 0) return false;
  return a !== 0 && b !== 0 && a % 2 !== b % 2;
});

export const isolate = partition(
  'isolate',
  2,
  (from, to, fault) => inside(fault, from) !== inside(fault, to),
  (prng, machines) => [prng.int(machines)],
);

/** The first is dead, the two after it do not reach each other. */
export const deadAndCut: FaultIdea = {
  kind: 'deadAndCut',
  effect: 'cut',
  draw(prng, machines, endMs) {
    if (machines < 4) return undefined;
    const members = prng.shuffle([...Array(machines).keys()]).slice(0, 3);
    return { ...stretch(prng, endMs, 800, 2500), machines: members, amount: 0 };
  },
  begin(fault, cluster) {
    const [dead, a, b] = fault.machines;
    let over = false;
    const keepDown = (): void => {
      if (over || dead === undefined) return;
      for (const node of cluster.at(dead)) if (cluster.honest(dead)) node.crash();
      cluster.world.schedule.after(20, keepDown);
    };
    keepDown();
    const mend = cutLinks(cluster, (from, to) => (from === a && to === b) || (from === b && to === a));
    return () => {
      over = true;
      mend();
    };
  },
};
