import type { State } from '../../../consensus/state.ts';
import type { BlockFacts } from '../../../consensus/types.ts';
import type { SimBlock } from '../ledger.ts';
import type { MachineOptions, World } from '../world.ts';
import { Liar } from './base.ts';

/** As leader builds on an older notarized view, on a block that was refused, or on one that nobody has seen. */
export class Forker extends Liar {
  constructor(world: World, options: MachineOptions) {
    super('forker', world, options);
  }

  protected override build(view: number, parent: BlockFacts, mayBeEmpty: boolean, state: State): void {
    const { prng } = this.world;
    const older: { view: number; id: string }[] = [{ view: state.floor.view, id: state.floor.block.id }];
    for (const record of state.views.values()) {
      if (record.view < view && record.notarization !== undefined)
        older.push({ view: record.view, id: record.notarization.subject.blockId });
    }
    let base = prng.pick(older);
    const below = state.views.get(view - 1);
    if (below?.proposal !== undefined && below.notarization === undefined)
      base = { view: view - 1, id: below.proposal.subject.blockId };
    else if (view > 1 && prng.chance(0.4)) base = this.ghost(base, view - 1);
    const fork = prng.chance(0.2) ? undefined : this.blockOn(base.id, view);
    if (fork === undefined) {
      super.build(view, parent, mayBeEmpty, state);
      return;
    }
    const subject = { epoch: this.epoch, view, parentView: base.view, blockId: fork.facts.id };
    const vote = this.signed('notarize', subject);
    if (vote?.kind !== 'notarize') return;
    this.did();
    for (const machine of this.others()) {
      this.say(machine, { type: 'proposal', vote, block: fork.facts }, fork);
      this.sayVote(machine, this.signed('finalize', subject));
    }
  }

  private blockOn(id: string, view: number): SimBlock | undefined {
    const on = this.bodies.get(id);
    if (on === undefined || this.me === undefined || this.execute(id, () => {}) !== undefined) return undefined;
    let block: SimBlock | undefined;
    const draft = { epoch: this.epoch, view, proposer: this.me, timeMs: this.wallMs(), txs: [] };
    this.ledger.build(on, draft, (built) => {
      block = built;
    });
    if (block !== undefined) this.bodies.set(block.facts.id, block);
    return block;
  }

  /** A parent that nobody was ever shown, said to stand in `view`. */
  private ghost(base: { view: number; id: string }, view: number): { view: number; id: string } {
    const block = this.blockOn(base.id, view);
    return block === undefined ? base : { view, id: block.facts.id };
  }
}
