// All faults. The order is the order in which plans draw them: new ones go to the end, or every seed means another run.
import { clockJump, clockSkew } from './clocks.ts';
import { lyingDisk, slowDisk } from './disks.ts';
import { duplication, loss, reordering, slowLinks } from './links.ts';
import { bridge, deadAndCut, isolate, oneWay, ring, split } from './partitions.ts';
import { blackout, crashAtCommits, crashAtWrites, darkEnd, tornRecords } from './power.ts';
import { freeze, slowChecks } from './stalls.ts';
import type { FaultIdea } from './types.ts';

export const faultIdeas: readonly FaultIdea[] = [
  split,
  oneWay,
  ring,
  bridge,
  isolate,
  deadAndCut,
  loss,
  duplication,
  reordering,
  slowLinks,
  crashAtWrites,
  crashAtCommits,
  blackout,
  darkEnd,
  tornRecords,
  slowDisk,
  lyingDisk,
  clockSkew,
  clockJump,
  freeze,
  slowChecks,
];

export function ideaOf(kind: string): FaultIdea {
  const idea = faultIdeas.find((each) => each.kind === kind);
  if (idea === undefined) throw new Error(`no fault ${kind}`);
  return idea;
}
