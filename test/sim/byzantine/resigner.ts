import type { Message } from '../../../consensus/types.ts';
import type { MachineOptions, World } from '../world.ts';
import { Liar } from './base.ts';

/** Signs the same thing anew for each listener: one subject, many signatures. */
export class Resigner extends Liar {
  constructor(world: World, options: MachineOptions) {
    super('resigner', world, options);
  }

  override transmitMessage(to: number, message: Message, epoch: number): void {
    const me = this.me;
    if (
      (message.type !== 'vote' && message.type !== 'proposal') ||
      message.vote.signer !== me ||
      epoch !== this.epoch
    ) {
      super.transmitMessage(to, message, epoch);
      return;
    }
    const { vote } = message;
    const again = vote.kind === 'nullify' ? this.signed('nullify', vote.subject) : this.signed(vote.kind, vote.subject);
    if (again === undefined) return;
    this.did();
    if (message.type === 'vote') super.transmitMessage(to, { type: 'vote', vote: again }, epoch);
    else if (again.kind === 'notarize') super.transmitMessage(to, { ...message, vote: again }, epoch);
  }
}
