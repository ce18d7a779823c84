// A fault is data in the plan, so that it can be printed, left out and shortened; what it does is in the file of its idea.
import type { Links } from '../network.ts';
import type { SimNode } from '../node.ts';
import type { Prng } from '../prng.ts';
import type { World } from '../world.ts';

/** From `fromMs` to `toMs` (or the end of phase 1). What `machines` and `amount` mean is each kind's affair. */
export type Fault = {
  readonly kind: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly machines: readonly number[];
  readonly amount: number;
};

export type Cluster = {
  readonly world: World;
  readonly machines: number;
  /** The instances that run under an index: two for twins, none for a silent liar. */
  at(machine: number): readonly SimNode[];
  honest(machine: number): boolean;
  /** Links are the plan's, bent by every fault that is active. */
  bendLinks(bend: (links: Links) => Links): () => void;
};

export type FaultIdea = {
  readonly kind: string;
  /** What `did` counts when it has hurt somebody. */
  readonly effect: string;
  /** `machines`: all there are; `endMs`: when phase 1 ends. Undefined: not for a cluster of this size. */
  draw(prng: Prng, machines: number, endMs: number): Omit<Fault, 'kind'> | undefined;
  /** Begins it; what is returned ends it. */
  begin(fault: Fault, cluster: Cluster, prng: Prng): () => void;
};

/** A stretch of phase 1. */
export function stretch(
  prng: Prng,
  endMs: number,
  shortestMs: number,
  longestMs: number,
): { fromMs: number; toMs: number } {
  const fromMs = prng.int(endMs);
  return { fromMs, toMs: fromMs + prng.between(shortestMs, longestMs) };
}

export function some(prng: Prng, machines: number, atMost: number): number[] {
  const count = prng.between(1, Math.max(1, Math.min(atMost, machines)));
  return prng.shuffle([...Array(machines).keys()]).slice(0, count);
}
