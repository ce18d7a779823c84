import { decodeCbor, encodeCbor } from '../codec/cbor.ts';
import { toHex } from '../codec/hex.ts';
import { sha256Hex } from '../crypto/hash.ts';
import type { Ledger } from '../ledger/ledger.ts';

/**
 * Messages that no honest node signs (W12), kept as notes until governance has looked at them: each once, by its hash, and of
 * each offender so many, because who lies once can lie without end.
 */

export type EvidenceModules = {
  readonly ledger: Pick<Ledger, 'note' | 'putNote'>;
  /** Something new is kept, or about to be. */
  readonly found: (offender: string, what: string, messages: readonly Uint8Array[]) => void;
  readonly failed: (error: unknown) => void;
};

export const evidenceOfOneMax = 16;
const indexBytesMax = 4096;

export class Evidence {
  readonly #modules: EvidenceModules;
  /** Offender → hashes of what is kept. */
  readonly #kept = new Map<string, string[]>();

  constructor(modules: EvidenceModules) {
    this.#modules = modules;
  }

  /** Notes `evidence-<hash>` (CBOR list of the messages) and `evidence-of-<offender>` (CBOR list of hashes). */
  keep(offender: string, what: string, messages: readonly Uint8Array[]): void {
    const known = this.#of(offender);
    // Two messages that contradict each other do so in either order.
    const ordered = [...messages].sort(Buffer.compare);
    const note = encodeCbor(ordered);
    const hash = sha256Hex(note);
    if (known.length >= evidenceOfOneMax || known.includes(hash)) return;
    known.push(hash);
    this.#modules.found(offender, what, messages);
    this.#store(offender, hash, note, [...known]).catch((error: unknown) => this.#modules.failed(error));
  }

  async #store(offender: string, hash: string, note: Uint8Array, hashes: readonly string[]): Promise<void> {
    // What an index names is there.
    await this.#modules.ledger.putNote(`evidence-${hash}`, note);
    await this.#modules.ledger.putNote(`evidence-of-${offender}`, encodeCbor(hashes));
  }

  #of(offender: string): string[] {
    const known = this.#kept.get(offender);
    if (known !== undefined) return known;
    const stored = this.#modules.ledger.note(`evidence-of-${offender}`);
    const read = stored === undefined ? [] : decodeCbor(stored, { bytesMax: indexBytesMax });
    const hashes = Array.isArray(read) ? read.filter((hash) => typeof hash === 'string') : [];
    this.#kept.set(offender, hashes);
    return hashes;
  }
}

/** For the log: the first bytes say which messages they are. */
export function abridged(messages: readonly Uint8Array[]): string[] {
  return messages.map((message) => toHex(message.subarray(0, 512)));
}
