import type { Certificate, Message, Vote } from '../../../consensus/types.ts';
import type { MachineOptions, Wire, World } from '../world.ts';
import { Liar } from './base.ts';

/** Well-typed nonsense: votes of others, of no one, of views far off and of no epoch; certificates that are none. */
export class Garbage extends Liar {
  constructor(world: World, options: MachineOptions) {
    super('garbage', world, options);
  }

  protected override receive(from: number, message: Wire): void {
    super.receive(from, message);
    if (message.kind !== 'consensus' || !this.world.prng.chance(0.15)) return;
    // Its own signature is good, far ahead.
    const view = (this.state?.view ?? 0) + this.world.prng.between(2, 1000);
    this.sayVote(this.world.prng.pick(this.others()), this.signed('nullify', { epoch: this.epoch, view }));
    const bent = this.bend(message.message);
    if (bent === undefined) return;
    this.did();
    this.say(this.world.prng.pick(this.others()), bent);
  }

  private bend(message: Message): Message | undefined {
    const { prng } = this.world;
    if (message.type === 'yourVotes') return { type: 'yourVotes', votes: [...message.votes, ...message.votes] };
    if (message.type === 'certificate')
      return { type: 'certificate', certificate: this.bendCertificate(message.certificate) };
    const { vote } = message;
    const view = prng.pick([
      0,
      1,
      vote.subject.view,
      vote.subject.view + 1,
      vote.subject.view + 1000,
      2 ** 53,
      -1,
      1.5,
    ]);
    const bent = {
      ...vote,
      subject: { ...vote.subject, view, epoch: prng.pick([vote.subject.epoch, vote.subject.epoch, 0, 99]) },
      signer: prng.pick([vote.signer, this.me ?? 0, 0, 127, -1]),
      signature: prng.chance(0.5) ? vote.signature : new Uint8Array(64),
    } as Vote;
    if (message.type === 'proposal' && bent.kind === 'notarize') return { ...message, vote: bent };
    return { type: 'vote', vote: bent };
  }

  private bendCertificate(certificate: Certificate): Certificate {
    const { signers, signatures } = certificate;
    switch (this.world.prng.int(6)) {
      case 0:
        return { ...certificate, signers: signers.slice(1), signatures: signatures.slice(1) };
      case 1:
        return { ...certificate, signers: signers.map(() => signers[0] ?? 0) };
      case 2:
        return { ...certificate, signers: [...signers].reverse() };
      case 3:
        return {
          ...certificate,
          subject: { ...certificate.subject, view: certificate.subject.view + 1 },
        } as Certificate;
      case 4:
        return { ...certificate, kind: certificate.kind === 'notarize' ? 'finalize' : certificate.kind } as Certificate;
      default:
        return { ...certificate, signatures: signatures.map(() => new Uint8Array(64)) };
    }
  }
}
