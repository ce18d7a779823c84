import type { Message } from '../../../consensus/types.ts';
import type { MachineOptions, World } from '../world.ts';
import { Liar } from './base.ts';

/** Leads like everybody, and gives no vote to what others lead: in their views a quorum has none to spare. */
export class Miser extends Liar {
  constructor(world: World, options: MachineOptions) {
    super('miser', world, options);
  }

  override transmitMessage(to: number, message: Message, epoch: number): void {
    const { leaderOrder } = this.set;
    const others =
      message.type === 'vote' && leaderOrder[(message.vote.subject.view - 1) % leaderOrder.length] !== this.me;
    if (others) this.did();
    else super.transmitMessage(to, message, epoch);
  }
}
