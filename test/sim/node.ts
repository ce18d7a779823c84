// The upper half of a machine: what comes in from others, and what it tells them about itself.
import { answerView, needs } from '../../consensus/engine.ts';
import type { State } from '../../consensus/state.ts';
import type { Certificate, Finalization, Message, ValidatorIndex } from '../../consensus/types.ts';
import { ChainHost } from './chain.ts';
import type { EpochSet } from './ledger.ts';
import { quorumOfSet, type Wire } from './world.ts';

/** A machine in another epoch is helped, or asked for help, so often. */
const epochHelpMs = 40;
/** The engine is told of a sign of life so often. */
const heardMs = 20;

export class SimNode extends ChainHost {
  private readonly helpedAtMs = new Map<number, number>();
  private readonly heardAtMs = new Map<ValidatorIndex, number>();

  protected override entered(state: State): void {
    this.heardAtMs.clear();
    this.hello();
    this.tellWork();
    this.pingLoop(state);
    this.askLoop(state);
  }

  hello(): void {
    for (const machine of this.others()) this.helloTo(machine, true);
  }

  helloTo(machine: number, answer: boolean): void {
    if (this.state === undefined) return;
    this.transmit(machine, { kind: 'hello', epoch: this.epoch, finalizedView: this.state.finalizedView, answer });
  }

  private pingLoop(state: State): void {
    const loop = (): void => {
      if (this.state !== state) return;
      for (const machine of this.others()) {
        this.transmit(machine, { kind: 'ping', epoch: this.epoch });
        for (const tx of this.mempool) this.transmit(machine, { kind: 'tx', tx });
      }
      this.catchUp();
      this.later(this.options.timings.leaderSilentMs / 4, loop);
    };
    loop();
  }

  /** W11: again and again, until enough have answered. */
  private askLoop(state: State): void {
    const loop = (): void => {
      if (this.state !== state || state.voting || state.ended || this.me === undefined) return;
      for (const { machine } of this.set.validators)
        if (machine !== this.index) this.transmit(machine, { kind: 'ask', epoch: this.epoch });
      this.later(100, loop);
    };
    loop();
  }

  private validatorAt(machine: number): ValidatorIndex | undefined {
    const at = this.set.validators.findIndex((validator) => validator.machine === machine);
    return at < 0 ? undefined : at;
  }

  /** Validators are told what the cosignature shows, observers the block: engines speak with engines that vote. */
  protected override cosign(certificate: Finalization): void {
    if (this.me === undefined) return;
    for (const machine of this.others()) {
      if (this.validatorAt(machine) === undefined)
        this.transmitMessage(machine, { type: 'certificate', certificate }, this.epoch);
      else this.transmit(machine, { kind: 'cosigned', epoch: this.epoch, height: this.tip.facts.height });
    }
  }

  protected override receive(from: number, message: Wire): void {
    const { state } = this;
    if (state === undefined) return;
    if (message.kind === 'relay') {
      if (message.to === this.index) this.receive(message.from, message.inner);
      else {
        this.world.did('relay');
        this.world.network.send(this.index, message.to, message);
      }
      return;
    }
    this.tick();
    if (this.state !== state) return;
    if ('epoch' in message && message.kind !== 'run' && message.epoch !== this.epoch) {
      this.otherEpoch(from, message.epoch, message.kind === 'behind' ? message.height : this.tip.facts.height);
      return;
    }
    const peer = this.validatorAt(from);
    if (peer !== undefined && peer !== this.me) this.heard(peer);
    switch (message.kind) {
      case 'ping':
      case 'behind':
        return;
      case 'hello':
        if (peer !== undefined && peer !== this.me)
          this.step({ type: 'connected', peer, finalizedView: message.finalizedView });
        if (message.answer) this.helloTo(from, false);
        return;
      case 'cosigned':
        if (peer !== undefined && peer !== this.me)
          this.step({ type: 'cosigned', peer, height: this.quirks.cosigned?.(message.height) ?? message.height });
        return;
      case 'ask':
        if (peer !== undefined && peer !== this.me) this.step({ type: 'asked', peer });
        return;
      case 'request':
        if (peer !== undefined && peer !== this.me) this.step({ type: 'request', peer, view: message.view });
        else this.answerObserver(from, message.view, state);
        return;
      case 'getBlock': {
        const block = this.bodies.get(message.id);
        if (block !== undefined) this.transmit(from, { kind: 'block', block });
        return;
      }
      case 'block':
        this.takeBlock(message.block);
        return;
      case 'getChain': {
        const blocks = this.blocksAbove(message.aboveHeight, message.id);
        if (blocks.length > 0) this.transmit(from, { kind: 'chain', blocks });
        return;
      }
      case 'chain':
        for (const block of message.blocks) this.takeBlock(block);
        return;
      case 'run':
        if (message.epoch !== this.epoch) return;
        for (const block of message.blocks) this.takeBlock(block);
        this.takeMessage(from, { type: 'certificate', certificate: message.certificate });
        return;
      case 'tx':
        this.takeTx(message.tx);
        return;
      case 'consensus':
        if (message.body !== undefined) this.takeBlock(message.body);
        if (this.state === state) this.takeMessage(from, message.message);
        return;
    }
  }

  /** Once in a while is enough. */
  private heard(peer: ValidatorIndex): void {
    const { state, world } = this;
    const lastMs = this.heardAtMs.get(peer);
    if (state === undefined || (lastMs !== undefined && world.schedule.nowMs() - lastMs < heardMs)) return;
    this.heardAtMs.set(peer, world.schedule.nowMs());
    this.step({ type: 'heard', peer });
  }

  /** Who lives in an earlier epoch is sent what closed it, and the blocks up to there; who lives in a later one is asked for that. */
  private otherEpoch(from: number, epoch: number, height: number): void {
    const { schedule } = this.world;
    if (schedule.nowMs() - (this.helpedAtMs.get(from) ?? Number.NEGATIVE_INFINITY) < epochHelpMs) return;
    this.helpedAtMs.set(from, schedule.nowMs());
    if (epoch > this.epoch) {
      this.transmit(from, { kind: 'behind', epoch: this.epoch, height: this.tip.facts.height });
      return;
    }
    const certificate = this.quirks.forgetsClosings ? undefined : this.ledger.closing(epoch);
    if (certificate === undefined) return;
    this.world.did('run over epochs');
    const blocks = this.blocksAbove(height, certificate.subject.blockId);
    this.transmit(from, { kind: 'run', epoch, certificate, blocks });
  }

  private answerObserver(from: number, view: number, state: State): void {
    const { epoch } = this;
    this.outward(() => {
      if (this.state !== state) return;
      for (const certificate of answerView(state, view))
        this.transmitMessage(from, { type: 'certificate', certificate }, epoch);
    });
    this.startSync();
  }

  /** The shell's checks, before the engine sees anything. */
  private takeMessage(from: number, message: Message): void {
    const { state, set } = this;
    if (state === undefined) return;
    const peer = this.validatorAt(from);
    if (message.type === 'yourVotes') {
      if (this.me === undefined || peer === undefined || peer === this.me) return;
      const { key } = set.validators[this.me]!;
      const votes = message.votes.filter(
        ({ kind, subject, signer, signature }) =>
          signer === this.me && subject.epoch === this.epoch && this.world.crypto.verify(key, kind, subject, signature),
      );
      this.step({ type: 'answered', peer, votes });
      return;
    }
    if (message.type === 'certificate') {
      const { certificate } = message;
      if (!wellFormed(certificate.subject)) return;
      if (
        certificate.subject.epoch === this.epoch &&
        needs(state, certificate) &&
        this.certificateHolds(certificate, set)
      )
        this.step({ type: 'certificate', certificate });
      return;
    }
    const { vote } = message;
    const { subject, kind, signer, signature } = vote;
    const key = set.validators[signer]?.key;
    if (!wellFormed(subject) || subject.epoch !== this.epoch || key === undefined) return;
    if (!this.world.crypto.verify(key, kind, subject, signature)) {
      this.world.did('bad signature refused');
      return;
    }
    if (message.type === 'proposal') {
      if (message.block.id === message.vote.subject.blockId)
        this.step({ type: 'proposal', vote: message.vote, block: message.block });
    } else if (this.quirks.takesAll || needs(state, vote)) this.step({ type: 'vote', vote });
  }

  /** Exactly a quorum of ascending signers, every signature good. */
  private certificateHolds(certificate: Certificate, set: EpochSet): boolean {
    const { signers, signatures, kind, subject } = certificate;
    return (
      signers.length === quorumOfSet(set) &&
      signatures.length === signers.length &&
      signers.every((signer, i) => {
        const key = set.validators[signer]?.key;
        return (
          key !== undefined &&
          (i === 0 || signer > signers[i - 1]!) &&
          this.world.crypto.verify(key, kind, subject, signatures[i]!)
        );
      })
    );
  }
}

/** What a decoder would refuse. */
function wellFormed(subject: { epoch: number; view: number }): boolean {
  return Number.isSafeInteger(subject.view) && subject.view >= 1;
}
