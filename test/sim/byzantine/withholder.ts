import type { Message } from '../../../consensus/types.ts';
import type { MachineOptions, Wire, World } from '../world.ts';
import { Liar } from './base.ts';

/** Keeps certificates to itself, tells its votes to half of the others, hands out no block. */
export class Withholder extends Liar {
  constructor(world: World, options: MachineOptions) {
    super('withholder', world, options);
  }

  override transmit(to: number, message: Wire): void {
    if (message.kind === 'block' || message.kind === 'chain' || message.kind === 'run') this.did();
    else super.transmit(to, message);
  }

  override transmitMessage(to: number, message: Message, epoch: number): void {
    const kept = message.type === 'certificate' && !this.world.prng.chance(0.05);
    const silent = message.type === 'vote' && (to + message.vote.subject.view) % 2 === 0;
    if (kept || silent) this.did();
    else super.transmitMessage(to, message, epoch);
  }
}
