// Links that carry badly for a while.
import type { Links } from '../network.ts';
import { type FaultIdea, stretch } from './types.ts';

function bad(
  kind: string,
  effect: string,
  amounts: readonly number[],
  bend: (links: Links, amount: number) => Links,
): FaultIdea {
  return {
    kind,
    effect,
    draw: (prng, _machines, endMs) => ({
      ...stretch(prng, endMs, 500, 6000),
      machines: [],
      amount: prng.pick(amounts),
    }),
    begin: (fault, cluster) => cluster.bendLinks((links) => bend(links, fault.amount)),
  };
}

export const loss = bad('loss', 'loss', [0.02, 0.1, 0.3], (links, amount) => ({
  ...links,
  loss: Math.max(links.loss, amount),
}));

export const duplication = bad('duplication', 'duplication', [0.05, 0.3], (links, amount) => ({
  ...links,
  duplication: amount,
}));

export const reordering = bad('reordering', 'reorder', [0.02, 0.1, 0.4], (links, amount) => ({
  ...links,
  reorder: Math.max(links.reorder, amount),
  reorderMsMax: 600,
}));

/** Every message takes so many ms longer. */
export const slowLinks = bad('slowLinks', 'fault slowLinks', [30, 90, 250], (links, amount) => ({
  ...links,
  latencyMsMax: links.latencyMsMax + amount,
}));
