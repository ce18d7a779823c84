import { toHex } from '../codec/hex.ts';
import { decodeUtf8, encodeUtf8 } from '../codec/utf8.ts';
import type { Ledger } from '../ledger/ledger.ts';

/**
 * W11: what the store knows about a vote key of this node. A key that has begun to sign here may sign again only with a whole
 * journal, and one whose journal was found wanting never again, whatever is started again and however late.
 */
export class VoteKey {
  readonly #ledger: Ledger;
  readonly #note: string;

  constructor(ledger: Ledger, publicKey: Uint8Array) {
    this.#ledger = ledger;
    this.#note = `vote-key-${toHex(publicKey.subarray(0, 16))}`;
  }

  /** Why this key signs nothing, as a code; empty when it may ask the others whether it may vote. */
  refusal(): string {
    const { state } = this.#ledger.journal.replay;
    if (state === 'damaged') return 'JOURNAL_DAMAGED';
    const note = this.#ledger.note(this.#note);
    const said = note === undefined ? '' : decodeUtf8(note);
    if (said !== '' && said !== signs) return said;
    // A key that is new here has no journal yet; one that has signed had one.
    return said === signs && state === 'absent' ? 'JOURNAL_LOST' : '';
  }

  /** To be durable before the first vote, and after the journal: a start that dies in between has signed nothing. */
  async begin(): Promise<void> {
    if (this.#ledger.note(this.#note) === undefined) await this.#ledger.putNote(this.#note, encodeUtf8(signs));
  }

  /** For good: only a new key, brought in by governance, votes again. */
  retire(code: string): Promise<void> {
    return this.#ledger.putNote(this.#note, encodeUtf8(code));
  }
}

const signs = 'SIGNS';
