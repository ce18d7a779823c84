// Validators that lie, as a real node whose frames are tampered with on their way out; twins and silent ones need nothing of it.
import type { Proposal, Vote } from '../../../consensus/types.ts';
import { sign } from '../../../src/crypto/ed25519.ts';
import { decodeVote, encodeVote, voteBytes } from '../../../src/ledger/votes.ts';
import { decodeProposal, frameKinds } from '../../../src/node/wire.ts';
import { seedOf } from '../../ledger/fixtures.ts';
import type { Prng } from '../prng.ts';
import type { Sent } from './network.ts';

/** `twins`: two machines with one key; `silent`: never there; `rolledBack`: its disk is now and then the one of an hour ago. */
export const lies = [
  'silent',
  'twins',
  'rolledBack',
  'selective',
  'withholder',
  'replayer',
  'doubleVoter',
  'babbler',
] as const;
export type Lie = (typeof lies)[number];

const keptMax = 100;

export class Liar {
  readonly #lie: Lie;
  readonly #name: string;
  readonly #genesisHash: string;
  readonly #prng: Prng;
  readonly #kept: Sent[] = [];
  /** What was proposed in a view, by whomever. */
  readonly #proposed = new Map<number, Proposal>();

  constructor(lie: Lie, name: string, genesisHash: string, prng: Prng) {
    this.#lie = lie;
    this.#name = name;
    this.#genesisHash = genesisHash;
    this.#prng = prng;
  }

  leaving(_to: string, kind: number, payload: Uint8Array): readonly Sent[] {
    const prng = this.#prng;
    const sent = { kind, payload };
    switch (this.#lie) {
      case 'selective':
        return prng.chance(0.4) ? [] : [sent];
      case 'withholder':
        return kind === frameKinds.certificate || kind === frameKinds.cosignature ? [] : [sent];
      case 'replayer': {
        this.#kept.push(sent);
        if (this.#kept.length > keptMax) this.#kept.splice(prng.int(keptMax), 1);
        return prng.chance(0.3) ? [sent, prng.pick(this.#kept)] : [sent];
      }
      case 'babbler': {
        if (!prng.chance(0.02)) return [sent];
        const junk = Uint8Array.from({ length: prng.int(80) }, () => prng.int(256));
        return [{ kind: prng.chance(0.5) ? kind : prng.int(16), payload: junk }, sent];
      }
      case 'doubleVoter':
        return [sent, ...this.#against(kind, payload)];
      default:
        return [sent];
    }
  }

  /** The vote that an honest validator could not sign beside this one. */
  #against(kind: number, payload: Uint8Array): Sent[] {
    if (kind === frameKinds.proposal) this.#remember(decodeProposal(payload).vote);
    if (kind !== frameKinds.notarize && kind !== frameKinds.nullify && kind !== frameKinds.finalize) return [];
    const vote = decodeVote(payload);
    this.#remember(vote);
    const { epoch, view } = vote.subject;
    if (vote.kind !== 'nullify') return [this.#signed('nullify', { epoch, view }, vote.signer)];
    const subject = this.#proposed.get(view);
    if (subject === undefined) return [];
    return [this.#signed('finalize', subject, vote.signer), this.#signed('notarize', subject, vote.signer)];
  }

  #remember(vote: Vote): void {
    if (vote.kind !== 'nullify') this.#proposed.set(vote.subject.view, vote.subject);
  }

  #signed(kind: Vote['kind'], subject: Vote['subject'], signer: number): Sent {
    const signature = sign(voteBytes(kind, this.#genesisHash, subject), seedOf(`${this.#name}/vote`));
    return { kind: frameKinds[kind], payload: encodeVote({ kind, subject, signer, signature } as Vote) };
  }
}
