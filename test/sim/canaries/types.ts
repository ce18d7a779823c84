import type { Shape } from '../plan.ts';
import type { Quirks } from '../world.ts';

/** Engines and shells with one rule broken. An oracle that never speaks proves nothing. */
export type Canary = {
  /** Of consensus/README.md. */
  rule: string;
  name: string;
  quirks: Quirks;
  shape?: Shape;
  /** The oracle holds even a machine with a lying disk to its votes. */
  strict?: boolean;
  /** What the oracle must say: not just that something broke. */
  codes: readonly string[];
  /** Caught by one of seeds 1..seedsMax. */
  seedsMax: number;
};

/** W11 would notice most of what a broken journal does; without it the double votes themselves must be seen. */
export const blindToRollback = { isForeign: (): boolean => false };

export const crashy = ['crashAtWrites', 'crashAtWrites', 'crashAtWrites', 'blackout', 'reordering'];
