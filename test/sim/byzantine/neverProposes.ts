import type { BlockFacts } from '../../../consensus/types.ts';
import type { MachineOptions, World } from '../world.ts';
import { Liar } from './base.ts';

/** Votes like everybody, and lets its own turns pass. */
export class NeverProposes extends Liar {
  constructor(world: World, options: MachineOptions) {
    super('neverProposes', world, options);
  }

  protected override build(_view: number, _parent: BlockFacts): void {
    this.did();
  }
}
