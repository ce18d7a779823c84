import { isDecided, needs, type State, statusOf } from '../../consensus/engine.ts';
import type { Certificate, Event, Vote } from '../../consensus/types.ts';
import { WeftError } from '../codec/error.ts';
import { toHex } from '../codec/hex.ts';
import { equalBytes } from '../codec/utf8.ts';
import { certificateBytesMax, certificateEpoch, decodeCertificate, verifyCertificate } from '../ledger/certificate.ts';
import type { Epoch } from '../ledger/validatorSet.ts';
import { decodeVote, verifyVote, voteBytesMax } from '../ledger/votes.ts';
import type { Frame, FrameVerdict, RelayVerdict } from '../net/types.ts';
import { type BlockPool, checkProposal } from './blocks.ts';
import type { Log } from './log.ts';
import {
  decodeAnswer,
  decodeQuestion,
  type OwnVotesAnswer,
  type OwnVotesQuestion,
  type Signed,
  verifyAnswer,
  verifyQuestion,
} from './signOnceMessages.ts';
import { decodeNumbers, decodeProposal, frameKinds } from './wire.ts';

/**
 * What other validators say, on its way to the engine: decoded within bounds, held against lane owner, epoch and leader, its
 * signatures verified. The engine is only given what held (consensus/types.ts, `Event`).
 */
export type InboxOptions = {
  readonly epoch: Epoch;
  readonly genesisHash: string;
  readonly chain: string;
  /** Own index; absent for observers and for validators that must not vote. */
  readonly me: number | undefined;
  /** W11: what this engine asks with. An answer to `probe` speaks against this node, and never for it (votesQuestion.ts). */
  readonly nonce: Uint8Array;
  readonly probe: Uint8Array;
};

export type InboxModules = {
  readonly state: State;
  readonly blocks: BlockPool;
  readonly handle: (event: Event) => void;
  /** A peer speaks of another epoch: one of the two is behind. */
  readonly otherEpoch: (peer: string, epoch: number) => void;
  /** W11 is settled. */
  readonly voting: () => boolean;
  readonly log: Log;
  readonly monotonicMs: () => number;
};

/** W11: answers of one peer are looked at this often. */
const answerEveryMs = 250;

export class Inbox {
  readonly #options: InboxOptions;
  readonly #modules: InboxModules;
  readonly #names: readonly string[];
  readonly #indices: ReadonlyMap<string, number>;
  readonly #answeredMs = new Map<number, number>();
  /** Who has answered this engine. */
  readonly #answered = new Set<number>();
  /** Validator → with what it last asked for its votes. */
  readonly #asked = new Map<number, Uint8Array>();
  /** Votes, certificates, and W11's questions and answers, that did not verify. */
  invalidSignatures = 0;

  constructor(options: InboxOptions, modules: InboxModules) {
    this.#options = options;
    this.#modules = modules;
    this.#names = options.epoch.validators.map(({ name }) => name);
    this.#indices = new Map(this.#names.map((name, index) => [name, index]));
  }

  /** A frame of consensus, after the lane told who sent it. */
  onFrame(frame: Frame): FrameVerdict {
    try {
      const verdict = this.#receive(frame);
      // What came through a relay was checked by it, as far as a relay can: it does not answer for the rest.
      return frame.relayed ? undefined : verdict;
    } catch (error) {
      if (error instanceof WeftError) return frame.relayed ? undefined : 'invalid';
      throw error;
    }
  }

  /** With what this validator last asked for its votes (W11). */
  nonceOf(asker: number): Uint8Array | undefined {
    return this.#asked.get(asker);
  }

  /** Checked before a message is forwarded, and when one came through a relay. */
  verifyRelayed(kind: number, payload: Uint8Array): RelayVerdict {
    try {
      if (kind === frameKinds.certificate) {
        if (certificateEpoch(payload) !== this.#options.epoch.epoch) return 'unknown';
        const certificate = decodeCertificate(payload, this.#names.length);
        return this.#verifyCertificate(certificate) ? {} : 'invalid';
      }
      if (kind === frameKinds.myVotes) {
        const question = decodeQuestion(payload);
        return this.#signerOf(question.epoch, question.asker, () => this.#verifyQuestion(question));
      }
      if (kind === frameKinds.yourVotes) {
        const answer = decodeAnswer(payload);
        return this.#signerOf(answer.epoch, answer.answerer, () => this.#verifyAnswer(answer));
      }
      const proposal = kind === frameKinds.proposal ? decodeProposal(payload) : undefined;
      const vote = proposal?.vote ?? decodeVote(payload);
      // Only what a relay is for, and only under its own kind: the next one must find nothing to object to.
      if (proposal === undefined && frameKinds[vote.kind] !== kind) return 'invalid';
      if (vote.subject.epoch !== this.#options.epoch.epoch) return 'unknown';
      const signer = this.#names[vote.signer];
      if (signer === undefined || !this.#verifyVote(vote)) return 'invalid';
      if (proposal !== undefined && 'code' in checkProposal(proposal, this.#options.epoch, this.#options.chain)) {
        return 'invalid';
      }
      return { signer };
    } catch {
      return 'invalid';
    }
  }

  #receive(frame: Frame): FrameVerdict {
    const { kind, payload } = frame;
    const peer = this.#indices.get(frame.peer);
    const { epoch } = this.#options;
    switch (kind) {
      case frameKinds.notarize:
      case frameKinds.nullify:
      case frameKinds.finalize: {
        if (payload.length > voteBytesMax) return 'invalid';
        const vote = decodeVote(payload);
        if (this.#isOther(frame, vote.subject.epoch)) return undefined;
        if (this.#names[vote.signer] !== frame.signer) return 'invalid';
        if (!needs(this.#modules.state, vote)) return undefined;
        // One of a quorum too many: the lane says whose it is, and nothing follows from it but evidence, which is verified then.
        if (!frame.relayed && !isDecided(this.#modules.state, vote) && !this.#verifyVote(vote)) return 'invalid';
        this.#modules.handle({ type: 'vote', vote });
        return undefined;
      }
      case frameKinds.certificate: {
        if (payload.length > certificateBytesMax) return 'invalid';
        if (this.#isOther(frame, certificateEpoch(payload))) return undefined;
        const certificate = decodeCertificate(payload, this.#names.length);
        if (!needs(this.#modules.state, certificate)) return undefined;
        if (!frame.relayed && !this.#verifyCertificate(certificate)) return 'invalid';
        this.#modules.handle({ type: 'certificate', certificate });
        return undefined;
      }
      case frameKinds.proposal: {
        const proposal = decodeProposal(payload);
        const { vote } = proposal;
        if (this.#isOther(frame, vote.subject.epoch)) return undefined;
        if (this.#names[vote.signer] !== frame.signer) return 'invalid';
        if (!this.#wantsProposal(vote)) return undefined;
        if (!frame.relayed && !this.#verifyVote(vote)) return 'invalid';
        const header = checkProposal(proposal, epoch, this.#options.chain);
        const block = 'code' in header ? header : this.#modules.blocks.offer(proposal, header, epoch);
        if ('code' in block) {
          // Signed by its leader, so the vote still counts as a vote; the block behind it is none.
          this.#modules.log.warn({ from: frame.signer, code: block.code }, 'proposal refused');
          this.#modules.handle({ type: 'vote', vote });
          return 'invalid';
        }
        this.#modules.handle({ type: 'proposal', vote, block: block.facts });
        return undefined;
      }
      case frameKinds.view: {
        const [wanted = 0, view = 0] = decodeNumbers(payload, 2);
        if (this.#isOther(frame, wanted)) return undefined;
        if (peer !== undefined) this.#modules.handle({ type: 'request', peer, view });
        return undefined;
      }
      case frameKinds.myVotes: {
        const question = decodeQuestion(payload);
        if (this.#isOther(frame, question.epoch)) return undefined;
        const { asker, nonce } = question;
        if (this.#names[asker] !== frame.signer) return 'invalid';
        if (!frame.relayed && !this.#verifyQuestion(question)) return 'invalid';
        this.#asked.set(asker, nonce);
        this.#modules.handle({ type: 'asked', peer: asker });
        return undefined;
      }
      case frameKinds.yourVotes: {
        const me = this.#options.me;
        if (me === undefined) return undefined;
        const answer = decodeAnswer(payload);
        const { answerer, votes } = answer;
        if (answer.epoch !== epoch.epoch) return undefined;
        if (this.#names[answerer] !== frame.signer) return 'invalid';
        // An answer to what was asked before a restart, or to somebody else, says nothing now.
        const probed = equalBytes(answer.nonce, this.#options.probe);
        if (answer.asker !== me || (!probed && !equalBytes(answer.nonce, this.#options.nonce))) return undefined;
        // One that comes after the quorum of answers still counts against us, the first of each validator.
        if (this.#modules.voting() && this.#answered.has(answerer)) return undefined;
        if (!this.#mayAnswer(answerer)) return undefined;
        if (!frame.relayed && !this.#verifyAnswer(answer)) return 'invalid';
        if (votes.some((vote) => vote.subject.epoch !== epoch.epoch)) return 'invalid';
        if (votes.some((vote) => vote.signer !== me)) return 'invalid';
        // A vote with our name that we did not sign is nobody's fault: a late one is counted unverified, by the word of its lane.
        const ours = votes.filter((vote) => this.#verifyVote(vote));
        const distinct = new Set(ours.map(({ signature }) => toHex(signature)));
        if (distinct.size !== ours.length) return 'invalid';
        if (probed) {
          for (const vote of ours) this.#modules.handle({ type: 'vote', vote });
          return undefined;
        }
        if (ours.length === votes.length) this.#answered.add(answerer);
        this.#modules.handle({ type: 'answered', peer: answerer, votes: ours });
        return undefined;
      }
      default:
        return 'invalid';
    }
  }

  /** Nobody is to blame for being an epoch apart; a relay says nothing about its own epoch. */
  #isOther(frame: Frame, epoch: number): boolean {
    if (epoch === this.#options.epoch.epoch) return false;
    if (!frame.relayed) this.#modules.otherEpoch(frame.peer, epoch);
    return true;
  }

  /** The vote may have come before the proposal that carries it: then the block is still wanted. */
  #wantsProposal(vote: Vote): boolean {
    if (needs(this.#modules.state, vote)) return true;
    const { view } = vote.subject;
    const { finalizedView, view: current } = statusOf(this.#modules.state);
    const blockId = 'blockId' in vote.subject ? vote.subject.blockId : '';
    return view > finalizedView && view <= current + 1 && this.#modules.blocks.get(blockId) === undefined;
  }

  /** W11's answers cost a verification for each vote: one answer a peer in a while is enough. */
  #mayAnswer(peer: number): boolean {
    const now = this.#modules.monotonicMs();
    if (now - (this.#answeredMs.get(peer) ?? Number.NEGATIVE_INFINITY) < answerEveryMs) return false;
    this.#answeredMs.set(peer, now);
    return true;
  }

  #signerOf(epoch: number, index: number, verify: () => boolean): RelayVerdict {
    if (epoch !== this.#options.epoch.epoch) return 'unknown';
    const signer = this.#names[index];
    return signer !== undefined && verify() ? { signer } : 'invalid';
  }

  #verifyQuestion(question: Signed<OwnVotesQuestion>): boolean {
    return this.#counted(verifyQuestion(question, this.#options.genesisHash, this.#options.epoch.validators));
  }

  #verifyAnswer(answer: Signed<OwnVotesAnswer>): boolean {
    return this.#counted(verifyAnswer(answer, this.#options.genesisHash, this.#options.epoch.validators));
  }

  #verifyVote(vote: Vote): boolean {
    return this.#counted(verifyVote(vote, this.#options.genesisHash, this.#options.epoch.validators));
  }

  #verifyCertificate(certificate: Certificate): boolean {
    return this.#counted(verifyCertificate(certificate, this.#options.genesisHash, this.#options.epoch.validators));
  }

  #counted(good: boolean): boolean {
    if (!good) this.invalidSignatures += 1;
    return good;
  }
}
