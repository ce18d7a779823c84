import type { State } from '../../../consensus/state.ts';
import type { BlockFacts } from '../../../consensus/types.ts';
import { lies } from '../ledger.ts';
import type { MachineOptions, World } from '../world.ts';
import { Liar } from './base.ts';

/** As leader proposes a block with something wrong in it, and votes for it: roots, size, parent, time, height. */
export class BlockLiar extends Liar {
  constructor(world: World, options: MachineOptions) {
    super('liar', world, options);
  }

  protected override build(view: number, parent: BlockFacts, _mayBeEmpty: boolean, state: State): void {
    const on = this.bodies.get(parent.id);
    if (on === undefined || this.me === undefined) return;
    const draft = { epoch: this.epoch, view, proposer: this.me, timeMs: this.wallMs(), txs: [] };
    const block = this.ledger.lie(on, draft, this.world.prng.pick(lies));
    this.bodies.set(block.facts.id, block);
    const subject = { epoch: this.epoch, view, parentView: state.certifiedView, blockId: block.facts.id };
    const vote = this.signed('notarize', subject);
    if (vote?.kind !== 'notarize') return;
    this.did();
    for (const machine of this.others()) {
      this.say(machine, { type: 'proposal', vote, block: block.facts }, block);
      this.sayVote(machine, this.signed('finalize', subject));
    }
  }
}
