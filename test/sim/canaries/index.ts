import { durabilityCanaries } from './durability.ts';
import { epochCanaries } from './epochs.ts';
import { paceCanaries } from './pace.ts';
import type { Canary } from './types.ts';
import { votingCanaries } from './voting.ts';

export const canaries: readonly Canary[] = [
  ...votingCanaries,
  ...durabilityCanaries,
  ...paceCanaries,
  ...epochCanaries,
];
