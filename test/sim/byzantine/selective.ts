import type { Message } from '../../../consensus/types.ts';
import type { MachineOptions, World } from '../world.ts';
import { Liar } from './base.ts';

/** Speaks to one machine at a time, to the others late or never. */
export class Selective extends Liar {
  constructor(world: World, options: MachineOptions) {
    super('selective', world, options);
  }

  override transmitMessage(to: number, message: Message, epoch: number): void {
    const signed =
      message.type === 'certificate' ? message.certificate : message.type === 'yourVotes' ? undefined : message.vote;
    const favourite = ((signed?.subject.view ?? 0) + this.index + 1) % this.world.machines;
    if (to === favourite) {
      super.transmitMessage(to, message, epoch);
      return;
    }
    this.did();
    if (this.world.prng.chance(0.3))
      this.later(this.world.prng.int(800), () => super.transmitMessage(to, message, epoch));
  }
}
