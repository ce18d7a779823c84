import { WeftError } from '../codec/error.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Admission, Admitted } from './admission.ts';
import type { TxStatus } from './api.ts';
import { accountOfBytes } from './claimedAccount.ts';
import type { Fates } from './fates.ts';
import type { Mempool } from './mempool.ts';
import type { Overload } from './overload.ts';
import { finalizedTx } from './queries.ts';
import type { Requests } from './requests.ts';
import { Submissions } from './submissions.ts';

/** What becomes of the transactions that clients bring: taken in or passed on, pending, final, expired. */
export type ClientsModules = {
  readonly ledger: Ledger;
  readonly mempool: Mempool;
  readonly admission: Admission;
  readonly overload: Overload;
  readonly fates: Fates;
  readonly requests: Requests;
  /** Throws when this node takes nothing at present. */
  readonly checkTakes: () => void;
  /** This node is a validator of the present epoch. */
  readonly validates: () => boolean;
  readonly askable: () => readonly string[];
  readonly closed: () => boolean;
};

/** Refusals that pass: the word of a validator does not say when, and a client is told so with each. */
const busyCodes: ReadonlySet<string> = new Set(['RPC_BUSY', 'MEMPOOL_FULL', 'MEMPOOL_ACCOUNT_FULL']);

export class Clients {
  readonly #modules: ClientsModules;
  readonly #submissions: Submissions;

  constructor(modules: ClientsModules) {
    this.#modules = modules;
    this.#submissions = new Submissions(modules);
  }

  /** Transactions that wait for their turn. */
  get waiting(): number {
    return this.#submissions.waiting;
  }

  /** @throws WeftError RPC_BUSY in an overload, or as `submitOwn`; rejects with what is found later */
  submit(envelope: Uint8Array): Promise<TxStatus> {
    const { checkTakes, overload } = this.#modules;
    checkTakes();
    overload.check(() => accountOfBytes(envelope));
    return this.submitOwn(envelope);
  }

  /** What this node says itself: few, and not for when it suits. @throws WeftError as `Admission.submit`, or rejects */
  submitOwn(envelope: Uint8Array): Promise<TxStatus> {
    const { validates, checkTakes } = this.#modules;
    checkTakes();
    if (validates()) return this.#submissions.submit(envelope, this.#statusOf);
    return this.#passOn(envelope).then(this.#statusOf);
  }

  readonly #statusOf = (admitted: Admitted): TxStatus => {
    if (admitted.status !== 'finalized') return { status: 'pending', id: admitted.prepared.tx.txId };
    return finalizedTx(this.#modules.ledger, admitted.txId) ?? { status: 'pending', id: admitted.txId };
  };

  transaction(id: string): TxStatus {
    const { ledger, fates, mempool } = this.#modules;
    const expires = fates.expiryOf(id);
    // Of what is pending here, memory knows that it is not final: clients ask again and again.
    const finalized = expires === undefined || ledger.maySee(id, expires) ? finalizedTx(ledger, id) : undefined;
    if (finalized !== undefined) return finalized;
    if (expires !== undefined && ledger.finalized.header.time >= expires) return { status: 'expired', id };
    if (expires !== undefined || mempool.hasTx(id)) return { status: 'pending', id };
    return { status: 'unknown', id };
  }

  wait(id: string, timeoutMs: number): Promise<TxStatus> {
    const now = this.transaction(id);
    const over = now.status === 'finalized' || now.status === 'expired' || this.#modules.closed();
    if (over) return Promise.resolve(now);
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        stop();
        resolve(this.transaction(id));
      };
      const stop = this.#modules.fates.wait(id, done);
      const timer = setTimeout(done, timeoutMs);
    });
  }

  /** An observer passes a transaction to f+1 validators and answers only after one accepted it. */
  async #passOn(envelope: Uint8Array): Promise<Admitted> {
    const { ledger, fates, requests, askable } = this.#modules;
    const { epoch } = ledger;
    const [answer] = await ledger.prepare([envelope], 'admission');
    if (answer instanceof WeftError) throw answer;
    if (answer === undefined) throw new WeftError('INTERNAL', 'a submission without an answer');
    const { txId, expires } = answer.tx;
    if (ledger.seen(txId)) return { status: 'finalized', txId };
    const targets = askable().slice(0, epoch.validators.length - epoch.quorum + 1);
    const answers = await Promise.all(targets.map((peer) => requests.submit(peer, envelope)));
    // What is no answer is none: a liar must not turn an acceptance into an error.
    const read = answers.filter((word) => word !== undefined);
    if (read.some(({ verdict }) => verdict === 'ok')) {
      fates.saw(txId, expires);
      return { status: 'pending', prepared: answer };
    }
    const refused = read.find((word) => word.verdict === 'refused');
    if (refused === undefined)
      throw new WeftError('VALIDATORS_UNREACHABLE', 'no validator could be reached; try again shortly', {
        retryAfterMs: 1000,
      });
    throw new WeftError(refused.code, refused.reason, busyCodes.has(refused.code) ? { retryAfterMs: 1000 } : {});
  }
}
