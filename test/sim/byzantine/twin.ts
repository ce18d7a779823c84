import type { Message } from '../../../consensus/types.ts';
import type { MachineOptions, World } from '../world.ts';
import { Liar } from './base.ts';

/** Two machines with one key: both hear everything, each is heard by some. */
export class Twin extends Liar {
  constructor(world: World, options: MachineOptions) {
    super('twins', world, options);
  }

  override transmitMessage(to: number, message: Message, epoch: number): void {
    if (!this.world.prng.chance(0.5)) return;
    this.did();
    super.transmitMessage(to, message, epoch);
  }
}
