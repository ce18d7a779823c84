// Validators that lie. Each is an honest node whose messages or builds are bent; none can sign for others, and all of them
// look for no trace of their own lies (they keep running when their key turns out to have signed twice).
import type { BlockFacts, Message, NotarizeVote, Proposal, Vote } from '../../consensus/types.ts';
import { SimNode } from './node.ts';
import type { ToyBlock } from './toyLedger.ts';
import type { NodeOptions, Wire, World } from './world.ts';

export const byzantineKinds = [
  'silent',
  'equivocator',
  'doubleVoter',
  'neverProposes',
  'withholder',
  'selective',
  'staleReplayer',
  'forker',
  'liar',
  'twins',
] as const;
export type ByzantineKind = (typeof byzantineKinds)[number];

/** The instances that run under one index: two for twins, none for a silent one. */
export function createByzantine(kind: ByzantineKind, world: World, options: NodeOptions): SimNode[] {
  const bent: NodeOptions = { ...options, crashPerWrite: 0, quirks: { rules: { isForeign: () => false } } };
  switch (kind) {
    case 'silent':
      return [];
    case 'equivocator':
      return [new Equivocator(world, bent)];
    case 'doubleVoter':
      return [new DoubleVoter(world, bent)];
    case 'neverProposes':
      return [new NeverProposes(world, bent)];
    case 'withholder':
      return [new Withholder(world, bent)];
    case 'selective':
      return [new Selective(world, bent)];
    case 'staleReplayer':
      return [new StaleReplayer(world, bent)];
    case 'forker':
      return [new Forker(world, bent)];
    case 'liar':
      return [new Liar(world, bent)];
    case 'twins':
      return [new Twin(world, bent), new Twin(world, bent)];
  }
}

function signed(world: World, signer: number, kind: 'notarize' | 'finalize', subject: Proposal): Vote {
  return { kind, subject, signer, signature: world.sign(signer, kind, subject) };
}

/** As leader tells one half of the others another block, and votes for both. */
class Equivocator extends SimNode {
  private others = new Map<number, { vote: NotarizeVote; body: ToyBlock }>();

  override transmitMessage(peer: number, message: Message): void {
    if (message.type !== 'proposal' || message.vote.signer !== this.index) {
      super.transmitMessage(peer, message);
      return;
    }
    const { view } = message.vote.subject;
    let other = this.others.get(view);
    if (other === undefined) {
      const body = this.bodies.get(message.block.id);
      if (body === undefined) return;
      const twin = this.world.registry.make({ ...message.block, time: message.block.time + 1 }, body.txs);
      const vote = signed(this.world, this.index, 'notarize', { ...message.vote.subject, blockId: twin.facts.id });
      if (vote.kind !== 'notarize') return;
      other = { vote, body: twin };
      this.others.set(view, other);
    }
    const swap = peer % 2 === 0;
    if (!swap || this.world.prng.chance(0.3)) super.transmitMessage(peer, message);
    if (swap) {
      this.transmit(peer, {
        kind: 'consensus',
        message: { type: 'proposal', vote: other.vote, block: other.body.facts },
        body: other.body,
      });
      this.transmit(peer, {
        kind: 'consensus',
        message: { type: 'vote', vote: signed(this.world, this.index, 'finalize', other.vote.subject) },
      });
    }
  }
}

/** Votes for everything it sees and for its contrary, to some. */
class DoubleVoter extends SimNode {
  override receive(from: number, message: Wire): void {
    super.receive(from, message);
    if (message.kind !== 'consensus' || message.message.type !== 'proposal') return;
    const { subject } = message.message.vote;
    const { prng } = this.world;
    const round = { epoch: subject.epoch, view: subject.view };
    const votes: Vote[] = [
      signed(this.world, this.index, 'notarize', subject),
      signed(this.world, this.index, 'finalize', subject),
      { kind: 'nullify', subject: round, signer: this.index, signature: this.world.sign(this.index, 'nullify', round) },
    ];
    for (const vote of votes) {
      for (const peer of this.world.othersOf(this.index)) {
        if (prng.chance(0.6)) this.transmit(peer, { kind: 'consensus', message: { type: 'vote', vote } });
      }
    }
  }
}

class NeverProposes extends SimNode {
  protected override onBuild(): void {}
}

/** Keeps certificates to itself, tells its votes to a few, answers no request. */
class Withholder extends SimNode {
  override transmit(to: number, message: Wire): void {
    if (message.kind === 'block' || message.kind === 'chain') return;
    super.transmit(to, message);
  }

  override transmitMessage(peer: number, message: Message): void {
    if (message.type === 'certificate' && !this.world.prng.chance(0.05)) return;
    if (message.type === 'vote' && (peer + message.vote.subject.view) % 2 === 0) return;
    super.transmitMessage(peer, message);
  }
}

/** Speaks to one validator at a time, to the others late or never. */
class Selective extends SimNode {
  override transmitMessage(peer: number, message: Message): void {
    const signed =
      message.type === 'certificate' ? message.certificate : message.type === 'yourVotes' ? undefined : message.vote;
    const favourite = ((signed?.subject.view ?? 0) + this.index + 1) % this.options.validators;
    if (peer === favourite) super.transmitMessage(peer, message);
    else if (this.world.prng.chance(0.3))
      this.later(this.world.prng.int(800), () => super.transmitMessage(peer, message));
  }
}

/** Sends old messages of everybody again. */
class StaleReplayer extends SimNode {
  private heard: Wire[] = [];

  override receive(from: number, message: Wire): void {
    super.receive(from, message);
    if (message.kind === 'consensus' || message.kind === 'hello') {
      this.heard.push(message);
      if (this.heard.length > 400) this.heard.shift();
    }
    if (this.heard.length > 0 && this.world.prng.chance(0.2)) {
      this.transmit(this.world.prng.pick(this.world.othersOf(this.index)), this.world.prng.pick(this.heard));
    }
  }
}

/** As leader builds on an older notarized view, as if what came after had never been. */
class Forker extends SimNode {
  protected override onBuild(view: number, parent: BlockFacts, mayBeEmpty: boolean): void {
    const { state, world } = this;
    const older: { view: number; id: string }[] = [];
    if (state !== undefined) {
      for (const record of state.views.values()) {
        if (record.view < view && record.notarization !== undefined)
          older.push({ view: record.view, id: record.notarization.subject.blockId });
      }
      older.push({ view: state.floor.view, id: state.floor.block.id });
    }
    let base = older.length === 0 ? undefined : world.prng.pick(older);
    // Or on a block that was refused (of a friend, maybe), or on one that nobody has seen.
    const refused = state?.views.get(view - 1);
    if (refused?.proposal !== undefined && refused.notarization === undefined)
      base = { view: view - 1, id: refused.proposal.subject.blockId };
    else if (base !== undefined && view > 1 && world.prng.chance(0.4)) base = this.ghost(base.id, view - 1);
    const block = base === undefined ? undefined : this.bodies.get(base.id);
    if (base === undefined || block === undefined || world.prng.chance(0.2)) {
      super.onBuild(view, parent, mayBeEmpty);
      return;
    }
    const time = Math.max(this.wallMs(), block.facts.time + 1);
    const fork = world.registry.make(
      { parent: base.id, height: block.facts.height + 1, epoch: 1, view, proposer: this.index, time },
      [],
    );
    this.bodies.set(fork.facts.id, fork);
    const subject = { epoch: 1, view, parentView: base.view, blockId: fork.facts.id };
    const vote = signed(world, this.index, 'notarize', subject);
    if (vote.kind !== 'notarize') return;
    for (const peer of world.othersOf(this.index)) {
      this.transmit(peer, { kind: 'consensus', message: { type: 'proposal', vote, block: fork.facts }, body: fork });
      this.transmit(peer, {
        kind: 'consensus',
        message: { type: 'vote', vote: signed(world, this.index, 'finalize', subject) },
      });
    }
  }

  /** A parent that nobody was ever shown, said to stand in `view`. */
  private ghost(under: string, view: number): { view: number; id: string } | undefined {
    const block = this.bodies.get(under);
    if (block === undefined) return undefined;
    const { height, time } = block.facts;
    const ghost = this.world.registry.make(
      { parent: under, height: height + 1, epoch: 1, view, proposer: this.index, time: time + 1 },
      [],
    );
    this.bodies.set(ghost.facts.id, ghost);
    return { view, id: ghost.facts.id };
  }
}

/** Proposes blocks that do not execute to their roots, and votes for them. */
class Liar extends SimNode {
  protected override onBuild(view: number, parent: BlockFacts): void {
    const time = Math.max(this.wallMs(), parent.time + 1);
    const block = this.world.registry.make(
      { parent: parent.id, height: parent.height + 1, epoch: 1, view, proposer: this.index, time },
      [],
      true,
    );
    this.bodies.set(block.facts.id, block);
    this.executed.add(block.facts.id);
    this.step({ type: 'built', view, block: block.facts });
  }
}

/** Two machines with one key: both hear everything, each is heard by some. */
class Twin extends SimNode {
  override transmitMessage(peer: number, message: Message): void {
    if (this.world.prng.chance(0.5)) super.transmitMessage(peer, message);
  }
}
