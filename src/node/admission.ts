import { decodeTransaction } from '../../contracts/transaction.ts';
import { WeftError } from '../codec/error.ts';
import { sha256Hex } from '../crypto/hash.ts';
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

export class Admission {
  readonly #modules: AdmissionModules;
  /** Envelopes that are being verified right now: the same one from several peers is verified once. */
  readonly #underWay = new Map<string, Promise<Admitted>>();
  /**
   * Batches of peers. One of 256 KiB holds at most 1,800 signatures, so that all that are verified at a time leave room in the
   * verifier (16,384) for blocks and for own clients; a peer that floods waits for itself.
   */
  readonly #batches = new Turns({ atOnce: 6, perPeer: 2, waitingMax: 16 });
  refused = 0;

  constructor(modules: AdmissionModules) {
    this.#modules = modules;
  }

  /** Work of peers that was not done, because too much of theirs waited. */
  get dropped(): number {
    return this.#batches.dropped;
  }

  /** `own`: this node brings it to the others. @throws WeftError TX_*, ENVELOPE_*, JSON_*, KEY_*, SIGNATURE_*, MEMPOOL_*, VERIFY_*, NODE_STOPPED */
  async submit(envelope: Uint8Array, own = true): Promise<Admitted> {
    const [answer] = await this.#admit([envelope], own);
    if (answer instanceof WeftError) throw answer;
    if (answer === undefined) throw new WeftError('INTERNAL', 'a submission without an answer');
    return answer;
  }

  /** Of own clients, in order: what became of each, or why it is refused. @throws as `submit` where it concerns all of them */
  submitAll(envelopes: readonly Uint8Array[]): Promise<(Admitted | WeftError)[]> {
    return this.#admit(envelopes, true);
  }

  /** A batch from a peer: what is refused is dropped without blame (admission is local policy). Resolves when it is done with. */
  async receive(peer: string, envelopes: readonly Uint8Array[]): Promise<void> {
    await this.#batches.take(peer, () => this.#admit(envelopes, false));
  }

  close(): void {
    this.#batches.close();
  }

  async #admit(envelopes: readonly Uint8Array[], own: boolean): Promise<(Admitted | WeftError)[]> {
    const { ledger, mempool } = this.#modules;
    this.#modules.checkTakes?.();
    const answers: (Promise<Admitted | WeftError> | Admitted)[] = [];
    const fresh: { id: string; envelope: Uint8Array }[] = [];
    const resolvers: ((answer: Admitted) => void)[] = [];
    const rejecters: ((error: WeftError) => void)[] = [];
    for (const envelope of envelopes) {
      const id = sha256Hex(envelope);
      const held = mempool.get(id);
      const waiting = this.#underWay.get(id);
      if (held !== undefined) answers.push({ status: 'pending', prepared: held.prepared });
      else if (waiting !== undefined) answers.push(waiting.catch(asWeftError));
      else {
        fresh.push({ id, envelope });
        const promise = new Promise<Admitted>((resolve, reject) => {
          resolvers.push(resolve);
          rejecters.push(reject);
        });
        this.#underWay.set(id, promise);
        answers.push(promise.catch(asWeftError));
      }
    }
    if (fresh.length > 0) {
      try {
        const prepared = await ledger.prepare(
          fresh.map(({ envelope }) => envelope),
          'admission',
        );
        for (const [i, answer] of prepared.entries()) {
          try {
            if (answer instanceof WeftError) resolvers[i]?.(this.#finalizedBefore(fresh[i]?.envelope, answer));
            else resolvers[i]?.(this.#enter(answer, own));
          } catch (error) {
            this.refused += 1;
            rejecters[i]?.(asWeftError(error));
          }
        }
      } catch (error) {
        for (const reject of rejecters) reject(asWeftError(error));
      } finally {
        for (const { id } of fresh) this.#underWay.delete(id);
      }
    }
    return Promise.all(answers);
  }

  /**
   * Sent again after it took effect: a rotation whose key it took away itself must not look refused to the sender who never
   * got the answer. @throws `refusal` when the transaction is not finalized
   */
  #finalizedBefore(envelope: Uint8Array | undefined, refusal: WeftError): Admitted {
    if (envelope === undefined || !stateCodes.has(refusal.code)) throw refusal;
    const { txId } = decodeTransaction(envelope, { chain: this.#modules.ledger.genesis.chain });
    if (!this.#modules.ledger.seen(txId)) throw refusal;
    return { status: 'finalized', txId };
  }

  #enter(prepared: PreparedTx, own: boolean): Admitted {
    const { ledger, mempool, wallMs, monotonicMs } = this.#modules;
    const { txId } = prepared.tx;
    const time = Math.max(wallMs(), ledger.finalized.header.time + 1);
    const code = ledger.admissible(prepared, time);
    // Whatever else stands against it by now: what is finalized is finalized.
    if (code === 'TX_DUPLICATE' || (code !== undefined && ledger.seen(txId))) return { status: 'finalized', txId };
    if (code !== undefined)
      throw new WeftError(code, refusals[code] ?? 'the transaction cannot enter a block', { txId });
    if (!mempool.add(prepared, monotonicMs(), own)) return { status: 'pending', prepared };
    this.#modules.admitted(prepared, own);
    return { status: 'new', prepared };
  }
}

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
