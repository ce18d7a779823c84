import type { MachineOptions, Wire, World } from '../world.ts';
import { Liar } from './base.ts';

/** Votes for everything it sees and for its contrary, to some. */
export class DoubleVoter extends Liar {
  constructor(world: World, options: MachineOptions) {
    super('doubleVoter', world, options);
  }

  protected override receive(from: number, message: Wire): void {
    super.receive(from, message);
    if (message.kind !== 'consensus' || message.message.type !== 'proposal' || message.epoch !== this.epoch) return;
    const { subject } = message.message.vote;
    const votes = [
      this.signed('notarize', subject),
      this.signed('finalize', subject),
      this.signed('nullify', { epoch: subject.epoch, view: subject.view }),
    ];
    if (votes[0] !== undefined) this.did();
    for (const vote of votes)
      for (const machine of this.others()) if (this.world.prng.chance(0.6)) this.sayVote(machine, vote);
  }
}
