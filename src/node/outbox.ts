import type { Message } from '../../consensus/types.ts';
import { encodeCertificate } from '../ledger/certificate.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { ExecutedBlock } from '../ledger/types.ts';
import type { Epoch } from '../ledger/validatorSet.ts';
import { encodeVote } from '../ledger/votes.ts';
import type { Network, SendHint } from '../net/types.ts';
import type { Mempool } from './mempool.ts';
import { encodeAnswer } from './signOnceMessages.ts';
import { encodeProposal, frameKinds } from './wire.ts';

/** What the engine says, on its way to other validators: as frames, with what queues and relays need to know of them. */
export type OutboxModules = {
  readonly ledger: Ledger;
  readonly mempool: Mempool;
  readonly network: () => Network;
  readonly monotonicMs: () => number;
  /** W11: what an answer to this validator is signed with; undefined for who is no validator, or was not asked. */
  readonly answering: (asker: string) => Answering | undefined;
};

export type Answering = {
  readonly genesisHash: string;
  readonly asker: number;
  readonly answerer: number;
  readonly nonce: Uint8Array;
  readonly sign: (message: Uint8Array) => Uint8Array;
};

/** W5: bodies that came in less than this ago may not have reached the others yet. */
const youngMs = 20;
/** The same while blocks are small: as long as they wait to be sent to all, and their way (spread.ts). */
const leanYoungMs = 80;
/** One frame: what is above it is not relayed. */
const relayedBytesMax = 64 * 1024;
/** Bodies sent along with a proposal, so that it stays an urgent frame. */
const bodiesBytesMax = 56 * 1024;

type Body = { readonly position: number; readonly envelope: Uint8Array; readonly arrivedMs: number };

export class Outbox {
  readonly #epoch: Epoch;
  readonly #modules: OutboxModules;

  constructor(epoch: Epoch, modules: OutboxModules) {
    this.#epoch = epoch;
    this.#modules = modules;
  }

  broadcast(message: Message): void {
    const frame = this.#encode(message, undefined);
    if (frame === undefined) return;
    const network = this.#modules.network();
    network.broadcast('urgent', frame.kind, frame.payload, frame.hint);
    if (message.type !== 'proposal' || frame.payload.length <= relayedBytesMax) return;
    // Too large for a relay: where no lane is, the bare vote gets through, and the block is fetched from anybody.
    const bare = this.#encode({ type: 'vote', vote: message.vote }, undefined);
    if (bare !== undefined) network.broadcast('urgent', bare.kind, bare.payload, bare.hint);
  }

  send(name: string, message: Message): void {
    const frame = this.#encode(message, name);
    if (frame !== undefined) this.#modules.network().send(name, 'urgent', frame.kind, frame.payload, frame.hint);
  }

  #encode(message: Message, to: string | undefined): { kind: number; payload: Uint8Array; hint: SendHint } | undefined {
    switch (message.type) {
      case 'vote': {
        const { vote } = message;
        const hint: SendHint = { class: 'vote', view: vote.subject.view };
        return { kind: frameKinds[vote.kind], payload: encodeVote(vote), hint };
      }
      case 'certificate': {
        const { certificate } = message;
        const payload = encodeCertificate(certificate, this.#epoch.validators.length);
        const hint: SendHint = {
          class: 'certificate',
          view: certificate.subject.view,
          displaces: frameKinds[certificate.kind],
        };
        return { kind: frameKinds.certificate, payload, hint };
      }
      case 'proposal': {
        const { ledger, mempool, monotonicMs } = this.#modules;
        const executed = ledger.executed(message.block.id);
        if (executed === undefined) return undefined;
        const bodies = youngBodies(executed, mempool, monotonicMs());
        const envelopeIds = executed.transactions.map(({ tx }) => tx.envelopeId);
        const payload = encodeProposal({ vote: message.vote, header: executed.headerBytes, envelopeIds, bodies });
        return { kind: frameKinds.proposal, payload, hint: { class: 'proposal', view: message.vote.subject.view } };
      }
      case 'yourVotes': {
        const answering = to === undefined ? undefined : this.#modules.answering(to);
        if (answering === undefined) return undefined;
        const { genesisHash, asker, answerer, nonce, sign } = answering;
        const answer = { epoch: this.#epoch.epoch, asker, nonce, answerer, votes: message.votes };
        return {
          kind: frameKinds.yourVotes,
          payload: encodeAnswer(answer, genesisHash, sign),
          hint: { class: 'start' },
        };
      }
    }
  }
}

/**
 * What the others may not have. While blocks are small that is what came in within `leanYoungMs`; larger ones do not fit into a proposal, so
 * who brings transactions sends them to all at once (spread.ts), and of the youngest as many go along as fit.
 */
function youngBodies(block: ExecutedBlock, mempool: Mempool, nowMs: number): Body[] {
  const young: Body[] = [];
  let bytes = 0;
  for (const [position, { tx }] of block.transactions.entries()) {
    const arrivedMs = mempool.get(tx.envelopeId)?.arrivedMs ?? Number.POSITIVE_INFINITY;
    if (arrivedMs < nowMs - leanYoungMs) continue;
    young.push({ position, envelope: tx.envelope, arrivedMs });
    bytes += tx.envelope.length;
  }
  if (bytes <= bodiesBytesMax) return young;
  const youngest = young
    .filter(({ arrivedMs }) => arrivedMs >= nowMs - youngMs)
    .sort((a, b) => b.arrivedMs - a.arrivedMs);
  let room = bodiesBytesMax;
  return youngest.filter(({ envelope }) => {
    if (envelope.length > room) return false;
    room -= envelope.length;
    return true;
  });
}
