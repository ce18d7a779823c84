import type { Message, NotarizeVote } from '../../../consensus/types.ts';
import type { SimBlock } from '../ledger.ts';
import type { MachineOptions, World } from '../world.ts';
import { Liar } from './base.ts';

/** As leader tells one half of the others another block, and votes for both. */
export class Equivocator extends Liar {
  private readonly seconds = new Map<string, { vote: NotarizeVote; body: SimBlock } | undefined>();

  constructor(world: World, options: MachineOptions) {
    super('equivocator', world, options);
  }

  override transmitMessage(to: number, message: Message, epoch: number): void {
    const { me } = this;
    if (
      message.type !== 'proposal' ||
      message.vote.signer !== me ||
      epoch !== this.epoch ||
      message.block.view !== message.vote.subject.view
    ) {
      super.transmitMessage(to, message, epoch);
      return;
    }
    const { subject } = message.vote;
    const key = `${epoch} ${subject.view}`;
    if (!this.seconds.has(key)) this.seconds.set(key, this.other(message.block.id, message.vote));
    const other = this.seconds.get(key);
    const swap = other !== undefined && to % 2 === 0;
    if (!swap || this.world.prng.chance(0.3)) super.transmitMessage(to, message, epoch);
    if (!swap) return;
    this.did();
    this.say(to, { type: 'proposal', vote: other.vote, block: other.body.facts }, other.body);
    this.sayVote(to, this.signed('finalize', other.vote.subject));
  }

  /** The same parent, another second. */
  private other(id: string, vote: NotarizeVote): { vote: NotarizeVote; body: SimBlock } | undefined {
    const block = this.bodies.get(id);
    const parent = block === undefined ? undefined : (this.bodies.get(block.facts.parent) ?? this.tip);
    if (block === undefined || parent === undefined || parent.facts.id !== block.facts.parent) return undefined;
    const { epoch, view, proposer, time } = block.facts;
    let body: SimBlock | undefined;
    const txs = this.ledger.txsOf(block);
    this.ledger.build(parent, { epoch, view, proposer, timeMs: time + 1, txs }, (twin) => {
      body = twin;
    });
    if (body === undefined) return undefined;
    this.bodies.set(body.facts.id, body);
    const second = this.signed('notarize', { ...vote.subject, blockId: body.facts.id });
    return second?.kind === 'notarize' ? { vote: second, body } : undefined;
  }
}
