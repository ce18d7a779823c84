import { EVIDENCE_EPOCHS_BACK, EVIDENCE_OF_ONE_MAX } from '../../contracts/governance/evidence.ts';
import { decodeCbor, encodeCbor } from '../codec/cbor.ts';
import { toHex } from '../codec/hex.ts';
import { sha256Hex } from '../crypto/hash.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Epoch } from '../ledger/validatorSet.ts';
import type { FrameVerdict } from '../net/types.ts';
import {
  claimOf,
  decodePair,
  type EvidencePair,
  encodePair,
  evidenceIdOf,
  makePair,
  pairHolds,
} from './evidencePair.ts';

/**
 * Messages that no honest node signs (W12), kept as notes until the ledger has them and beyond: each offence once, and of each
 * offender so many an epoch, because who lies once can lie without end. What comes from others is verified before it is kept.
 */

export type EvidenceModules = {
  readonly ledger: Pick<Ledger, 'note' | 'putNote' | 'epoch' | 'epochOf' | 'genesis'>;
  /** Something new is kept, or about to be. */
  readonly found: (evidence: KeptEvidence) => void;
  readonly failed: (error: unknown) => void;
};

export type KeptEvidence = {
  /** Where the ledger records it: `governance/evidence/<id>`. */
  readonly id: string;
  readonly offender: string;
  /** Its key that signed, base64url. */
  readonly key: string;
  /** The view of two votes, the size of two cosignatures. */
  readonly at: number;
  readonly pair: EvidencePair;
};

/** What the ledger takes, and no more: a liar without end fills neither. */
export const evidenceOfOneMax = EVIDENCE_OF_ONE_MAX;
const epochsBack = EVIDENCE_EPOCHS_BACK;
const indexBytesMax = 16 * 1024;

export class Evidence {
  readonly #modules: EvidenceModules;
  readonly #kept = new Map<string, KeptEvidence>();
  readonly #others = new Set<string>();

  constructor(modules: EvidenceModules) {
    this.#modules = modules;
    this.#load();
  }

  /** All that is kept of the last epochs, in the order in which it was found. */
  all(): readonly KeptEvidence[] {
    return [...this.#kept.values()];
  }

  /** Two messages whose signatures this node has verified. */
  seen(kind: EvidencePair['kind'], epochNumber: number, one: Uint8Array, other: Uint8Array): void {
    const epoch = this.#epochOf(epochNumber);
    if (epoch === undefined) return;
    const pair = makePair(kind, epochNumber, one, other);
    const claim = claimOf(pair, epoch, this.#modules.ledger.genesis);
    if (claim !== undefined) this.#keep({ id: evidenceIdOf(pair, claim), ...claim, pair });
  }

  /** What a peer passes on. `invalid`: no honest node passes it on; that costs the peer its lane. */
  receive(payload: Uint8Array): FrameVerdict {
    const { ledger } = this.#modules;
    const pair = decodePair(payload);
    // An epoch ahead of this node, or long gone: nobody is to blame, and there is nothing to do.
    const epoch = this.#epochOf(pair.epoch);
    if (epoch === undefined) return undefined;
    const claim = claimOf(pair, epoch, ledger.genesis);
    if (claim === undefined) return 'invalid';
    const id = evidenceIdOf(pair, claim);
    // Before the signatures: what is known or too much must cost nothing.
    if (!this.#wants(id, claim.offender, pair.epoch)) return undefined;
    if (!pairHolds(pair, epoch, ledger.genesis)) return 'invalid';
    this.#keep({ id, ...claim, pair });
    return undefined;
  }

  /** Signed messages behind a halt, which accuse nobody by themselves: note `evidence-<hash>`, a CBOR list. */
  keepMessages(messages: readonly Uint8Array[]): void {
    const note = encodeCbor([...messages].sort(Buffer.compare));
    const hash = sha256Hex(note);
    if (this.#others.size >= evidenceOfOneMax || this.#others.has(hash)) return;
    this.#others.add(hash);
    this.#modules.ledger.putNote(`evidence-${hash}`, note).catch((error: unknown) => this.#modules.failed(error));
  }

  #wants(id: string, offender: string, epoch: number): boolean {
    if (this.#kept.has(id)) return false;
    return this.#of(offender).filter(({ pair }) => pair.epoch === epoch).length < evidenceOfOneMax;
  }

  #keep(evidence: KeptEvidence): void {
    if (!this.#wants(evidence.id, evidence.offender, evidence.pair.epoch)) return;
    this.#kept.set(evidence.id, evidence);
    this.#modules.found(evidence);
    this.#store(evidence).catch((error: unknown) => this.#modules.failed(error));
  }

  /** Notes `evidence-<id>` (the pair) and `evidence-of-<offender>` (CBOR list of ids). */
  async #store({ id, offender, pair }: KeptEvidence): Promise<void> {
    const { ledger } = this.#modules;
    // What an index names is there.
    await ledger.putNote(`evidence-${id}`, encodePair(pair));
    const recent = this.#of(offender).filter((each) => each.pair.epoch >= ledger.epoch.epoch - epochsBack);
    await ledger.putNote(`evidence-of-${offender}`, encodeCbor(recent.map((each) => each.id)));
  }

  #epochOf(number: number): Epoch | undefined {
    const { ledger } = this.#modules;
    return number < ledger.epoch.epoch - epochsBack ? undefined : ledger.epochOf(number);
  }

  #of(offender: string): KeptEvidence[] {
    return [...this.#kept.values()].filter((each) => each.offender === offender);
  }

  #load(): void {
    const { ledger } = this.#modules;
    const names = new Set<string>();
    for (let number = ledger.epoch.epoch; number >= 1 && number >= ledger.epoch.epoch - epochsBack; number -= 1) {
      for (const { name } of ledger.epochOf(number)?.validators ?? []) names.add(name);
    }
    for (const offender of names) {
      const index = ledger.note(`evidence-of-${offender}`);
      const ids = index === undefined ? [] : decodeCbor(index, { bytesMax: indexBytesMax });
      for (const id of Array.isArray(ids) ? ids : []) {
        const note = typeof id === 'string' ? ledger.note(`evidence-${id}`) : undefined;
        const evidence = note === undefined ? undefined : this.#read(note);
        if (evidence !== undefined) this.#kept.set(evidence.id, evidence);
      }
    }
  }

  /** Undefined for a note that this version would not write: it must not keep a node from starting. */
  #read(note: Uint8Array): KeptEvidence | undefined {
    try {
      const pair = decodePair(note);
      const epoch = this.#epochOf(pair.epoch);
      const claim = epoch === undefined ? undefined : claimOf(pair, epoch, this.#modules.ledger.genesis);
      return claim === undefined ? undefined : { id: evidenceIdOf(pair, claim), ...claim, pair };
    } catch (error) {
      this.#modules.failed(error);
      return undefined;
    }
  }
}

/** For the log: the first bytes say which messages they are. */
export function abridged(messages: readonly Uint8Array[]): string[] {
  return messages.map((message) => toHex(message.subarray(0, 512)));
}
