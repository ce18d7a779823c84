import type { MachineOptions, Wire, World } from '../world.ts';
import { Liar } from './base.ts';

/** Sends old messages of everybody again, to anybody; of earlier epochs too. */
export class StaleReplayer extends Liar {
  private readonly heard: Wire[] = [];

  constructor(world: World, options: MachineOptions) {
    super('staleReplayer', world, options);
  }

  protected override receive(from: number, message: Wire): void {
    super.receive(from, message);
    const { prng } = this.world;
    if (message.kind === 'consensus' || message.kind === 'hello' || message.kind === 'run') {
      if (this.heard.length < 400) this.heard.push(message);
      else this.heard[prng.int(400)] = message;
    }
    if (this.heard.length === 0 || !prng.chance(0.2)) return;
    this.did();
    this.transmit(prng.pick(this.others()), prng.pick(this.heard));
  }
}
