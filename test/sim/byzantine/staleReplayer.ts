import type { MachineOptions, Wire, World } from '../world.ts';
import { Liar } from './base.ts';

/** Sends old messages of everybody again, to anybody; of earlier epochs too. */
export class StaleReplayer extends Liar {
  private readonly kept: Wire[] = [];

  constructor(world: World, options: MachineOptions) {
    super('staleReplayer', world, options);
  }

  protected override receive(from: number, message: Wire): void {
    super.receive(from, message);
    const { prng } = this.world;
    if (message.kind === 'consensus' || message.kind === 'hello' || message.kind === 'run') {
      if (this.kept.length < 400) this.kept.push(message);
      else this.kept[prng.int(400)] = message;
    }
    if (this.kept.length === 0 || !prng.chance(0.2)) return;
    this.did();
    this.transmit(prng.pick(this.others()), prng.pick(this.kept));
  }
}
