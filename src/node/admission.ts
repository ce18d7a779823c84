import { decodeTransaction } from '../../contracts/transaction.ts';
import { WeftError } from '../codec/error.ts';
import { envelopeIdOf } from '../crypto/digests.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { PreparedTx } from '../ledger/types.ts';
import type { Mempool } from './mempool.ts';
import { Turns } from './turns.ts';

/**
 * The way of a transaction into the mempool: decoded, checked against schema, chain, window and duplicates, its signatures
 * verified once (libsodium's answer alone: a refusal here is local policy). A refusal never changes state.
 */

export type AdmissionModules = {
  readonly ledger: Ledger;
  readonly mempool: Mempool;
  /** Throws when this node takes nothing at present. */
  readonly checkTakes?: () => void;
  readonly monotonicMs: () => number;
  readonly wallMs: () => number;
  /** A transaction that is new here; `own`: from a client of this node. */
  readonly admitted: (prepared: PreparedTx, own: boolean) => void;
};

export type Admitted =
  | { readonly status: 'new' | 'pending'; readonly prepared: PreparedTx }
  | { readonly status: 'finalized'; readonly txId: string };

type Answer = Admitted | WeftError;

/**
 * What may wait of one peer. By bytes, since the number of batches says little: a loop that was late for a moment finds many small
 * ones at once. No honest peer has more on the way than a window of 256 KiB (spread.ts), or two when it took the first for lost; with
 * the weights, which bound what a liar's empty ones cost, that fits.
 */
const batchesWaitingMax = 1024 * 1024;
const batchWeight = 256;
const envelopeWeight = 32;
const fewEnvelopes = 16;

export class Admission {
  readonly #modules: AdmissionModules;
  /** Envelopes that are being verified right now, and who else waits for the answer: the same one from several peers is verified once. */
  readonly #underWay = new Map<string, ((answer: Answer) => void)[]>();
  /**
   * Batches of peers. One of 256 KiB holds at most 1,800 signatures, so that all that are verified at a time leave room in the
   * verifier (16,384) for blocks and for own clients; a peer that floods waits for itself.
   */
  readonly #batches = new Turns({ atOnce: 6, perPeer: 2, waitingMax: batchesWaitingMax });
  refused = 0;

  constructor(modules: AdmissionModules) {
    this.#modules = modules;
  }

  /** Work of peers that was not done, because too much of theirs waited. */
  get dropped(): number {
    return this.#batches.dropped;
  }

  /** Envelopes that are being verified. */
  get verifying(): number {
    return this.#underWay.size;
  }

  /** `own`: this node brings it to the others. @throws WeftError TX_*, ENVELOPE_*, JSON_*, KEY_*, SIGNATURE_*, MEMPOOL_*, VERIFY_*, NODE_STOPPED */
  async submit(envelope: Uint8Array, own = true): Promise<Admitted> {
    const [answer] = await this.#admit([envelope], own);
    if (answer instanceof WeftError) throw answer;
    if (answer === undefined) throw new WeftError('INTERNAL', 'a submission without an answer');
    return answer;
  }

  /** Of own clients, in order: what became of each, or why it is refused; of few at once. @throws as `submit` where it concerns all of them */
  submitAll(envelopes: readonly Uint8Array[]): Answer[] | Promise<Answer[]> {
    return this.#admit(envelopes, true);
  }

  /** A batch from a peer: what is refused is dropped without blame (admission is local policy). Resolves when it is done with. */
  receive(peer: string, envelopes: readonly Uint8Array[]): Promise<unknown> {
    let weight = batchWeight;
    for (const { length } of envelopes) weight += length + envelopeWeight;
    return this.#batches.take(peer, () => this.#admit(envelopes, false), weight);
  }

  close(): void {
    this.#batches.close();
  }

  /** An answer for each, in order. @throws WeftError NODE_STOPPED and the like (checkTakes) */
  #admit(envelopes: readonly Uint8Array[], own: boolean): Answer[] | Promise<Answer[]> {
    const { mempool, checkTakes } = this.#modules;
    checkTakes?.();
    const batch: Batch = { own, answers: [], ids: [], envelopes: [], places: [], twins: undefined };
    /** Of a batch, once there are so many that looking at each before would cost more. */
    const seen = envelopes.length > fewEnvelopes ? new Map<string, number>() : undefined;
    let others: Promise<void>[] | undefined;
    for (let i = 0; i < envelopes.length; i += 1) {
      const envelope = envelopes[i];
      if (envelope === undefined) continue;
      const id = envelopeIdOf(envelope);
      const held = mempool.get(id);
      if (held !== undefined) {
        batch.answers[i] = { status: 'pending', prepared: held.prepared };
        continue;
      }
      const waiting = this.#underWay.size === 0 ? undefined : this.#underWay.get(id);
      if (waiting !== undefined) {
        others ??= [];
        others.push(
          new Promise((resolve) =>
            waiting.push((answer) => {
              batch.answers[i] = answer;
              resolve();
            }),
          ),
        );
        continue;
      }
      const twin = seen === undefined ? batch.ids.indexOf(id) : (seen.get(id) ?? -1);
      if (twin >= 0) {
        batch.twins ??= [];
        batch.twins.push({ place: i, of: twin });
        continue;
      }
      seen?.set(id, batch.ids.length);
      batch.ids.push(id);
      batch.envelopes.push(envelope);
      batch.places.push(i);
    }
    const judging = batch.ids.length === 0 ? undefined : this.#prepare(batch);
    if (judging === undefined && others === undefined) return batch.answers;
    return Promise.all([judging, ...(others ?? [])]).then(() => batch.answers);
  }

  /** Undefined when all of it is done. */
  #prepare(batch: Batch): Promise<void> | undefined {
    let prepared: Prepared | Promise<Prepared>;
    try {
      prepared = this.#modules.ledger.admit(batch.envelopes, batch.ids);
    } catch (error) {
      prepared = asWeftError(error);
    }
    if (!(prepared instanceof Promise)) {
      this.#judge(batch, prepared);
      return undefined;
    }
    for (const id of batch.ids) this.#underWay.set(id, []);
    return prepared.then(
      (each) => this.#judgeWaited(batch, each),
      (error: unknown) => this.#judgeWaited(batch, asWeftError(error)),
    );
  }

  #judgeWaited(batch: Batch, prepared: Prepared): void {
    this.#judge(batch, prepared);
    for (let i = 0; i < batch.ids.length; i += 1) {
      const id = batch.ids[i] ?? '';
      const answer = batch.answers[batch.places[i] ?? 0];
      const waiting = this.#underWay.get(id);
      this.#underWay.delete(id);
      if (waiting !== undefined && answer !== undefined) for (const told of waiting) told(answer);
    }
  }

  #judge({ own, answers, ids, envelopes, places, twins }: Batch, prepared: Prepared): void {
    const { ledger, wallMs, monotonicMs } = this.#modules;
    const entry: Entry = { own, time: Math.max(wallMs(), ledger.finalized.header.time + 1), nowMs: monotonicMs() };
    for (let i = 0; i < ids.length; i += 1) {
      const each = prepared instanceof WeftError ? prepared : prepared[i];
      answers[places[i] ?? 0] = this.#answer(envelopes[i], each, entry);
    }
    if (twins === undefined) return;
    for (const { place, of } of twins) answers[place] = answers[places[of] ?? 0] ?? asWeftError('no answer');
  }

  #answer(envelope: Uint8Array | undefined, prepared: PreparedTx | WeftError | undefined, entry: Entry): Answer {
    try {
      if (prepared === undefined) return asWeftError('no answer');
      const answer =
        prepared instanceof WeftError ? this.#finalizedBefore(envelope, prepared) : this.#enter(prepared, entry);
      if (answer instanceof WeftError) this.refused += 1;
      return answer;
    } catch (error) {
      this.refused += 1;
      return asWeftError(error);
    }
  }

  /**
   * Sent again after it took effect: a rotation whose key it took away itself must not look refused to the sender who never
   * got the answer.
   */
  #finalizedBefore(envelope: Uint8Array | undefined, refusal: WeftError): Answer {
    if (envelope === undefined || !stateCodes.has(refusal.code)) return refusal;
    const { txId } = decodeTransaction(envelope, { chain: this.#modules.ledger.genesis.chain });
    return this.#modules.ledger.seen(txId) ? { status: 'finalized', txId } : refusal;
  }

  /** @throws WeftError MEMPOOL_* */
  #enter(prepared: PreparedTx, { own, time, nowMs }: Entry): Answer {
    const { ledger, mempool } = this.#modules;
    const { txId } = prepared.tx;
    const code = ledger.admissible(prepared, time);
    // Whatever else stands against it by now: what is finalized is finalized.
    if (code === 'TX_DUPLICATE' || (code !== undefined && ledger.seen(txId))) return { status: 'finalized', txId };
    if (code !== undefined)
      return new WeftError(code, refusals[code] ?? 'the transaction cannot enter a block', { txId });
    if (!mempool.add(prepared, nowMs, own)) return { status: 'pending', prepared };
    this.#modules.admitted(prepared, own);
    return { status: 'new', prepared };
  }
}

type Prepared = readonly (PreparedTx | WeftError)[] | WeftError;

/** `answers`: in the order in which all came. The rest is of those that are new here, and where in that order they stand. */
type Batch = {
  readonly own: boolean;
  readonly answers: Answer[];
  readonly ids: string[];
  readonly envelopes: Uint8Array[];
  readonly places: number[];
  /** The same envelope again: `of` counts those that are new. */
  twins: { readonly place: number; readonly of: number }[] | undefined;
};

/** `time`: of the earliest block that could take it. */
type Entry = { readonly own: boolean; readonly time: number; readonly nowMs: number };

/** Refusals that come from what the state is now, not from the envelope. */
const stateCodes: ReadonlySet<string> = new Set(['ACCOUNT_INACTIVE', 'KEY_INACTIVE']);

const refusals: Readonly<Record<string, string>> = {
  TX_EXPIRED: 'the transaction has expired; sign it anew with a later `expires`',
  TX_NOT_YET_VALID: '`expires` is further ahead than the chain allows; sign it anew with an earlier one',
  KEY_INACTIVE: 'the signing key is not active for this account',
};

function asWeftError(error: unknown): WeftError {
  if (error instanceof WeftError) return error;
  return new WeftError('INTERNAL', error instanceof Error ? error.message : String(error));
}
