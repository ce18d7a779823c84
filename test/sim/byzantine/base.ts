// What all liars have in common: an honest machine whose messages or builds are bent. None can sign for others, and none looks
// for traces of its own lies: it keeps running when its key turns out to have signed twice.
import type { Message, Proposal, Round, Vote } from '../../../consensus/types.ts';
import { SimNode } from '../node.ts';
import type { MachineOptions, Wire, World } from '../world.ts';

export class Liar extends SimNode {
  readonly kind: string;

  constructor(kind: string, world: World, options: MachineOptions) {
    super(world, { ...options, quirks: { rules: { isForeign: () => false } } });
    this.kind = kind;
  }

  protected did(): void {
    this.world.did(this.kind);
  }

  /** Signs anything; only as a validator of this epoch. */
  protected signed(kind: 'nullify', subject: Round): Vote | undefined;
  protected signed(kind: 'notarize' | 'finalize', subject: Proposal): Vote | undefined;
  protected signed(kind: Vote['kind'], subject: Round | Proposal): Vote | undefined {
    const { me } = this;
    if (me === undefined) return undefined;
    const signature = this.world.crypto.sign(this.set.validators[me]!.key, kind, subject);
    return { kind, subject, signer: me, signature } as Vote;
  }

  protected say(to: number, message: Message, body?: Extract<Wire, { kind: 'consensus' }>['body']): void {
    this.transmit(to, { kind: 'consensus', epoch: this.epoch, message, ...(body !== undefined && { body }) });
  }

  protected sayVote(to: number, vote: Vote | undefined): void {
    if (vote !== undefined) this.say(to, { type: 'vote', vote });
  }
}
