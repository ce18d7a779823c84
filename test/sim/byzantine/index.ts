// All kinds of liars. The order is the order in which plans draw them.
import type { SimNode } from '../node.ts';
import type { MachineOptions, World } from '../world.ts';
import { DoubleVoter } from './doubleVoter.ts';
import { Equivocator } from './equivocator.ts';
import { Forker } from './forker.ts';
import { Garbage } from './garbage.ts';
import { BlockLiar } from './liar.ts';
import { Miser } from './miser.ts';
import { NeverProposes } from './neverProposes.ts';
import { Resigner } from './resigner.ts';
import { Selective } from './selective.ts';
import { StaleReplayer } from './staleReplayer.ts';
import { Twin } from './twin.ts';
import { Withholder } from './withholder.ts';

type Make = (world: World, options: MachineOptions) => SimNode[];

/** The instances that run under one index: two for twins, none for a silent one. */
const makers = {
  silent: (world) => {
    world.did('silent');
    return [];
  },
  equivocator: (world, options) => [new Equivocator(world, options)],
  doubleVoter: (world, options) => [new DoubleVoter(world, options)],
  neverProposes: (world, options) => [new NeverProposes(world, options)],
  withholder: (world, options) => [new Withholder(world, options)],
  selective: (world, options) => [new Selective(world, options)],
  staleReplayer: (world, options) => [new StaleReplayer(world, options)],
  forker: (world, options) => [new Forker(world, options)],
  liar: (world, options) => [new BlockLiar(world, options)],
  resigner: (world, options) => [new Resigner(world, options)],
  garbage: (world, options) => [new Garbage(world, options)],
  twins: (world, options) => [new Twin(world, options), new Twin(world, { ...options })],
  miser: (world, options) => [new Miser(world, options)],
} satisfies Record<string, Make>;

export type ByzantineKind = keyof typeof makers;
export const byzantineKinds = Object.keys(makers) as ByzantineKind[];

export function createByzantine(kind: ByzantineKind, world: World, options: MachineOptions): SimNode[] {
  const make: Make = makers[kind];
  return make(world, options);
}
