import { toHex } from '../codec/hex.ts';
import { decodeUtf8, encodeUtf8 } from '../codec/utf8.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { confirmed, type SignState, type SignStateEntry, signs } from './signState.ts';

/**
 * W11: whether a vote key of this node may vote in an epoch. Two places remember: a note in the store, which a wiped data folder
 * takes along, and the sign state beside the key file (signState.ts), which it does not. A key that has begun to sign may sign
 * again only with a whole journal that knows of it; one whose journal was found wanting never again, whatever is started again
 * and however late. Another key starts afresh.
 */
export class VoteKey {
  readonly #ledger: Ledger;
  readonly #publicKey: Uint8Array;
  readonly #epoch: number;
  readonly #signState: SignState | undefined;
  readonly #begun: boolean;
  readonly #note: string;
  readonly #outgrown: boolean;

  /**
   * `signState`: absent only where nothing is signed (observers, tests). `begun`: this process has begun the journal of this key,
   * so what was there before says nothing about it. `outgrown`: the network has grown since this ledger's genesis (grown.ts).
   */
  constructor(
    ledger: Ledger,
    publicKey: Uint8Array,
    epoch = ledger.epoch.epoch,
    signState?: SignState,
    begun = false,
    outgrown = false,
  ) {
    this.#outgrown = outgrown;
    this.#begun = begun;
    this.#ledger = ledger;
    this.#publicKey = publicKey;
    this.#epoch = epoch;
    this.#signState = signState;
    this.#note = voteKeyNote(publicKey);
  }

  /** Why this key signs nothing, as a code; empty when it may ask the others whether it may vote. */
  refusal(): string {
    const note = this.#ledger.note(this.#note);
    const { genesisHash } = this.#ledger.genesis;
    const beside = this.#signState?.of(genesisHash, this.#publicKey);
    const { replay } = this.#ledger.journal;
    const found = this.#begun ? { state: 'complete' as const, epoch: this.#epoch, rolledBack: false } : replay;
    return refusalOf(found, note === undefined ? '' : decodeUtf8(note), beside, this.#epoch, {
      remembered: this.#signState?.remembers(genesisHash) ?? false,
      outgrown: this.#outgrown,
    });
  }

  /**
   * The store ends below what the journal builds on: it was rebuilt, or an old one was put back. The journal is whole and stays as
   * it is, and this node follows without a vote until the store is where the journal begins.
   */
  get storeBehind(): boolean {
    const { state, epoch, records } = this.#ledger.journal.replay;
    if (state !== 'complete') return false;
    if (epoch > this.#ledger.epoch.epoch) return true;
    // The floor rises within a journal.
    const floor = records.reduce((height, each) => (each.kind === 'floor' ? each.floor.block.height : height), 0);
    return floor > this.#ledger.finalized.header.height;
  }

  /** This data folder is not the one in which the key last voted: it was moved, or copied, and then another node may be voting. */
  get moved(): boolean {
    return this.#signState?.moved(this.#ledger.genesis.genesisHash, this.#publicKey) ?? false;
  }

  /** It votes here now. @throws WeftError SIGN_STATE_UNWRITABLE, DISK_FULL */
  async settled(): Promise<void> {
    await this.#signState?.settle(this.#ledger.genesis.genesisHash, this.#publicKey);
  }

  /**
   * To be durable before the first vote in the epoch, and after the journal: a start that dies in between has signed nothing.
   * @throws WeftError SIGN_STATE_UNWRITABLE, DISK_FULL, DISK_FAILED
   */
  async begin(): Promise<void> {
    const { genesisHash } = this.#ledger.genesis;
    const beside = this.#signState?.of(genesisHash, this.#publicKey);
    const held = this.#signState?.holds(genesisHash, this.#publicKey, this.#epoch) === true;
    const current = beside?.state === signs && held && this.#signState?.unreadable === false;
    const retired = beside !== undefined && beside.state !== signs && beside.state !== confirmed;
    if (!current && !retired) await this.#signState?.set(genesisHash, this.#publicKey, this.#epoch, signs);
    const note = this.#ledger.note(this.#note);
    const takenBack = beside?.state === confirmed && note !== undefined && decodeUtf8(note) !== signs;
    if (note === undefined || takenBack) await this.#ledger.putNote(this.#note, encodeUtf8(signs));
  }

  /** For good: only a new key, brought in by governance, votes again. Each place is tried, whatever became of the other. */
  async retire(code: string): Promise<void> {
    const done = await Promise.allSettled([
      this.#signState?.set(this.#ledger.genesis.genesisHash, this.#publicKey, this.#epoch, code),
      this.#ledger.putNote(this.#note, encodeUtf8(code)),
    ]);
    for (const each of done) if (each.status === 'rejected') throw each.reason;
  }
}

const none = { remembered: false, outgrown: false };

/** Name of the note about a vote key in the store. */
export function voteKeyNote(publicKey: Uint8Array): string {
  return `vote-key-${toHex(publicKey.subarray(0, 16))}`;
}

/** Nothing is known against the key, but the chain has gone on past where it would vote (grown.ts). */
export const networkGrown = 'NETWORK_GROWN';

/**
 * `said`: the store's note, '' without one; `beside`: the entry in the sign state; `epoch`: in which it would vote. `remembered`:
 * the sign state would name this key if it had signed; `outgrown`: the network is not the one of this genesis any more.
 */
export function refusalOf(
  journal: { readonly state: string; readonly epoch: number; readonly rolledBack: boolean },
  said: string,
  beside: SignStateEntry | undefined,
  epoch: number,
  { remembered, outgrown }: { readonly remembered: boolean; readonly outgrown: boolean } = none,
): string {
  // What an operator answered for in a later epoch says nothing about this one.
  if (beside?.state === confirmed) return beside.epoch > epoch ? 'JOURNAL_ROLLED_BACK' : '';
  for (const each of [said, beside?.state ?? '']) if (each !== '' && each !== signs) return each;
  const hasSigned = said === signs || beside !== undefined;
  if (journal.state === 'damaged') {
    // A key that governance brought in for a later epoch owes nothing to the journal of one that is over. Of which epoch it
    // was, a damaged one may not say (0): then another key wrote it, if what lies beside the key files knows of others alone.
    const over = journal.epoch > 0 ? journal.epoch < epoch : remembered;
    return over && !hasSigned ? '' : 'JOURNAL_DAMAGED';
  }
  // A key that is new here has no journal yet; one that has signed had one.
  if (journal.state === 'absent') return hasSigned ? 'JOURNAL_LOST' : outgrown ? networkGrown : '';
  if (journal.rolledBack && hasSigned) return 'JOURNAL_ROLLED_BACK';
  // It has voted in an epoch of which this journal knows nothing: an old one was put back.
  return beside !== undefined && beside.epoch > journal.epoch ? 'JOURNAL_ROLLED_BACK' : '';
}
