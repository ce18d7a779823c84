import { decodeCbor, encodeCbor } from '../codec/cbor.ts';
import { decodeUtf8, encodeUtf8 } from '../codec/utf8.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Log } from './log.ts';

type Kept = { readonly note: string; readonly size: number };

/**
 * The newest published checkpoint as a note of the store, so that a restarted node has one to serve at once. What vouches for it
 * is durable before anything is cosigned, so this copy may lag a little: several a block would cost as many syncs.
 */
export class Published {
  readonly #ledger: Pick<Ledger, 'note' | 'putNote'>;
  readonly #log: Log;
  #unkept: (() => Kept | undefined) | undefined;

  constructor(ledger: Pick<Ledger, 'note' | 'putNote'>, log: Log) {
    this.#ledger = ledger;
    this.#log = log;
  }

  /** There is a newer one; it is read when it is kept. */
  newest(read: () => Kept | undefined): void {
    this.#unkept = read;
  }

  async keep(): Promise<void> {
    const published = this.#unkept?.();
    this.#unkept = undefined;
    if (published === undefined) return;
    try {
      await this.#ledger.putNote(noteName, encodeCbor([published.size, encodeUtf8(published.note)]));
    } catch (error) {
      this.#log.warn({ error: String(error) }, 'the checkpoint could not be stored');
    }
  }

  /** What an earlier life of this node kept. */
  read(): Kept | undefined {
    const stored = this.#ledger.note(noteName);
    if (stored === undefined) return undefined;
    const value = decodeCbor(stored, { bytesMax: 128 * 1024 });
    if (!Array.isArray(value)) return undefined;
    const [size, note] = value as [number, Uint8Array];
    return { note: decodeUtf8(note), size };
  }
}

const noteName = 'checkpoint';
