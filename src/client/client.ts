import { setTimeout as sleep } from 'node:timers/promises';
import type {
  BlockSummary,
  GovernanceStatus,
  NodeStatus,
  StateAnswer,
  TxFinalized,
  TxStatus,
} from '../../schemas/types/rpc.ts';
import { WeftError } from '../codec/error.ts';
import {
  isBusy,
  isSilence,
  type MethodName,
  type ParamsOf,
  type ResultOf,
  type RpcOptions,
  RpcTransport,
} from './rpc.ts';
import {
  openSubscription,
  type SubscriptionHandle,
  type SubscriptionListener,
  type SubscriptionRequest,
} from './subscription.ts';
import { readSigned, type SignedTransaction } from './transaction.ts';

export type SubmitOptions = {
  /** Gives up after this long; the transaction may still be admitted until it expires. Default 15,000. */
  readonly timeoutMs?: number;
};

export type SubmitAndWaitOptions = {
  /** Default 60,000. */
  readonly timeoutMs?: number;
  /** True: a transaction that the ledger refused is an answer (`refused` holds the code). Default: it is thrown. */
  readonly allowRefused?: boolean;
};

export type TokenRequest =
  | { readonly index: number }
  | { readonly tx: string; readonly record?: number }
  | { readonly intent: string };

/** One wait at a node; longer waits are made of several, so that a lost node is noticed. */
const waitMsMax = 15_000;
const retryMsMin = 50;
const retryMsMax = 2_000;

/**
 * A client of one network. Everything that is refused is thrown as a WeftError with the node's stable code; a node that is
 * silent is passed over for the next (RPC_UNREACHABLE, RPC_TIMEOUT once none answers).
 */
export class WeftClient {
  readonly #transport: RpcTransport;
  #pauses = new AbortController();

  constructor(options: RpcOptions) {
    this.#transport = new RpcTransport(options);
  }

  /** Any method by name, with the types of `schemas/rpc.schema.json`. */
  call<M extends MethodName>(method: M, params: ParamsOf<M>, timeoutMs?: number): Promise<ResultOf<M>> {
    return this.#transport.call(method, params, timeoutMs);
  }

  status(): Promise<NodeStatus> {
    return this.call('node.status', {});
  }

  transaction(id: string): Promise<TxStatus> {
    return this.call('tx.get', { id });
  }

  /** Waits at the node for at most `timeoutMs`; answers the status of the moment when that has passed. */
  wait(id: string, timeoutMs: number = waitMsMax): Promise<TxStatus> {
    return this.call('tx.wait', { id, timeoutMs }, timeoutMs + 10_000);
  }

  /** Without an argument the newest. @throws WeftError BLOCK_NOT_FOUND */
  block(which?: number | string): Promise<BlockSummary> {
    return this.call(
      'block.get',
      which === undefined ? {} : typeof which === 'number' ? { height: which } : { id: which },
    );
  }

  /** The exact bytes of a log entry, as text. @throws WeftError ENTRY_NOT_FOUND */
  entry(index: number): Promise<ResultOf<'log.entry'>> {
    return this.call('log.entry', { index });
  }

  /** The newest published checkpoint. @throws WeftError CHECKPOINT_NOT_YET */
  async checkpoint(): Promise<string> {
    return text((await this.call('log.checkpoint', {})).checkpoint, 'checkpoint');
  }

  state(path: string, proof = false): Promise<StateAnswer> {
    return this.call('state.get', { path, proof });
  }

  /**
   * Token text. It is evidence only once it is verified (`weft/token`). What is final a moment before a quorum has cosigned it
   * is waited for, up to `timeoutMs`.
   * @throws WeftError CHECKPOINT_NOT_YET (time ran out), TX_UNKNOWN, ENTRY_ABSENT, RECORD_AMBIGUOUS …
   */
  async fetchToken(which: TokenRequest, { timeoutMs = 5_000 }: SubmitOptions = {}): Promise<string> {
    const ask = async (waitMs: number) => (await this.call('token.get', { ...which, waitMs }, waitMs + 10_000)).token;
    return text(await untilPublished(ask, timeoutMs), 'token');
  }

  /**
   * `weft-status/v1` of a grant: check it at once (`checkStatus` of `weft/token`), for it is worth what it is fresh.
   * @throws WeftError CHECKPOINT_NOT_YET (time ran out), GRANT_UNKNOWN
   */
  async fetchStatus(intent: string, { timeoutMs = 5_000 }: SubmitOptions = {}): Promise<string> {
    const ask = async (waitMs: number) => (await this.call('token.status', { intent, waitMs }, waitMs + 10_000)).status;
    return text(await untilPublished(ask, timeoutMs), 'status');
  }

  /**
   * `weft-status/v1` of any state paths: evidence once `verifyState` of `weft/token` has taken it.
   * @throws WeftError CHECKPOINT_NOT_YET (time ran out), STATE_PATH_INVALID, STATE_PATHS
   */
  async fetchProof(paths: readonly string[], { timeoutMs = 5_000 }: SubmitOptions = {}): Promise<string> {
    const ask = async () => (await this.call('state.proof', { paths: [...paths] })).proof;
    return text(await untilPublished(ask, timeoutMs), 'proof');
  }

  /**
   * `weft-walk/v1` from the validators of this epoch to the present ones: `walkTrust` of `weft/token` takes it or refuses.
   * @throws WeftError CHECKPOINT_NOT_YET (time ran out), EPOCH_UNKNOWN, WALK_TOO_LONG, ENTRY_PRUNED
   */
  async fetchWalk(epoch: number, { timeoutMs = 10_000 }: SubmitOptions = {}): Promise<string> {
    return text(await untilPublished(async () => (await this.call('chain.walk', { epoch })).walk, timeoutMs), 'walk');
  }

  /** The trust policy as this node states it: compare it with another's before you rely on it. */
  async trust(): Promise<string> {
    return text((await this.call('chain.trust', {})).trust, 'trust');
  }

  /** What the network is made of, and what the council has before it. */
  governance(): Promise<GovernanceStatus> {
    return this.call('governance.status', {});
  }

  /** Who signed what no honest validator signs: on the ledger, and kept by this node. */
  evidence(): Promise<ResultOf<'governance.evidence'>> {
    return this.call('governance.evidence', {});
  }

  async genesis(): Promise<string> {
    return text((await this.call('chain.genesis', {})).genesis, 'genesis');
  }

  /**
   * Hands over a signed transaction. The same envelope may be sent any number of times: a node that is silent or full is
   * tried again, or the next, until `timeoutMs`.
   * @throws WeftError the refusal's code; RPC_UNREACHABLE, RPC_TIMEOUT, MEMPOOL_FULL … when time ran out
   */
  async submit(
    transaction: SignedTransaction | Uint8Array | string,
    { timeoutMs = 15_000 }: SubmitOptions = {},
  ): Promise<TxStatus> {
    const signed = signedOf(transaction);
    const deadline = performance.now() + timeoutMs;
    const { signal } = this.#pauses;
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.call(
          'tx.submit',
          { envelope: signed.text },
          Math.max(1, Math.min(10_000, deadline - performance.now())),
        );
      } catch (error) {
        if (error instanceof WeftError && error.code === 'TX_DUPLICATE') return { status: 'pending', id: signed.id };
        if (!isBusy(error) && !isSilence(error)) throw error;
        const pauseMs = pauseAfter(error, attempt);
        if (performance.now() + pauseMs >= deadline) throw error;
        await pause(pauseMs, signal);
      }
    }
  }

  /**
   * Submits and waits until the fate is final. Safe to call again with the same transaction after any failure.
   * @returns the finalized status; never one of a transaction that is not in a finalized block
   * @throws WeftError the code with which it was refused (by a node, or by the ledger: then `details.index` is its leaf);
   *   TX_EXPIRED (final); TX_FATE_UNKNOWN when time ran out: ask `transaction(id)` later
   */
  async submitAndWait(
    transaction: SignedTransaction | Uint8Array | string,
    { timeoutMs = 60_000, allowRefused = false }: SubmitAndWaitOptions = {},
  ): Promise<TxFinalized> {
    const signed = signedOf(transaction);
    const deadline = performance.now() + timeoutMs;
    const { signal } = this.#pauses;
    const leftMs = (): number => deadline - performance.now();
    let last: unknown;
    for (let attempt = 0; leftMs() > 0; attempt++) {
      try {
        let status =
          attempt === 0 ? await this.submit(signed, { timeoutMs: leftMs() }) : await this.transaction(signed.id);
        if (status.status === 'unknown') status = await this.submit(signed, { timeoutMs: Math.max(1, leftMs()) });
        while (status.status === 'pending' && leftMs() > 0) {
          status = await this.wait(signed.id, Math.ceil(Math.min(waitMsMax, leftMs())));
        }
        if (status.status === 'finalized') return settled(status, allowRefused);
        if (status.status === 'expired') throw expired(signed);
      } catch (error) {
        if (!isSilence(error) && !isBusy(error)) {
          const late = await this.#fateAfter(error, signed);
          if (late?.status === 'finalized') return settled(late, allowRefused);
          if (late?.status !== 'pending') throw error;
        }
        last = error;
      }
      if (leftMs() > retryMsMin) await pause(Math.min(pauseAfter(last, attempt), leftMs()), signal);
    }
    const cause = last instanceof WeftError ? `: ${last.message}` : '';
    throw new WeftError(
      'TX_FATE_UNKNOWN',
      `after ${timeoutMs} ms the fate of ${signed.id} is not known${cause}; ask for it later`,
      {
        id: signed.id,
      },
    );
  }

  /** Blocks, records by filter, or one transaction, as they are finalized; taken up again after each loss. */
  subscribe(request: SubscriptionRequest, listener: SubscriptionListener): SubscriptionHandle {
    return openSubscription(request, listener, { urls: this.#transport.urls, tls: this.#transport.tls });
  }

  /**
   * Frees the connections that are kept, and ends what waits to try again (RPC_UNREACHABLE; the fate of what was sent stays open).
   * Subscriptions are closed by their own handles.
   */
  close(): void {
    this.#pauses.abort();
    this.#pauses = new AbortController();
    this.#transport.close();
  }

  /** Refused as too late may mean that an earlier sending is in a block or on its way into one: then the node knows. */
  async #fateAfter(error: unknown, signed: SignedTransaction): Promise<TxStatus | undefined> {
    if (!(error instanceof WeftError) || error.code !== 'TX_EXPIRED' || error.details['final'] === true)
      return undefined;
    return this.transaction(signed.id).catch(() => undefined);
  }
}

/** A client of the network that these nodes serve. @throws WeftError RPC_URL_INVALID */
export function connect(options: RpcOptions): WeftClient {
  return new WeftClient(options);
}

/** What is final a moment before a quorum has cosigned it is waited for: at the node, where that can. */
async function untilPublished<Answer>(ask: (waitMs: number) => Promise<Answer>, timeoutMs: number): Promise<Answer> {
  const deadline = performance.now() + timeoutMs;
  for (let attempt = 0; ; attempt++) {
    try {
      return await ask(Math.ceil(Math.max(0, Math.min(waitMsMax, deadline - performance.now()))));
    } catch (error) {
      const pauseMs = pauseAfter(error, attempt);
      const notYet = error instanceof WeftError && error.code === 'CHECKPOINT_NOT_YET';
      if (!notYet || performance.now() + pauseMs >= deadline) throw error;
      await sleep(pauseMs);
    }
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    throw new WeftError('RPC_UNREACHABLE', 'the client was closed before a node answered');
  }
}

function signedOf(transaction: SignedTransaction | Uint8Array | string): SignedTransaction {
  return typeof transaction === 'string' || transaction instanceof Uint8Array ? readSigned(transaction) : transaction;
}

function settled(status: TxFinalized, allowRefused: boolean): TxFinalized {
  if (status.refused === undefined || allowRefused) return status;
  throw new WeftError(
    status.refused,
    `the ledger refused the transaction ${status.id} (${status.refused}); its refusal is log entry ${status.index + 1}`,
    { id: status.id, height: status.height, index: status.index },
  );
}

function expired(signed: SignedTransaction): WeftError {
  return new WeftError(
    'TX_EXPIRED',
    `the transaction ${signed.id} expired in no block; that is final, so sign a new one`,
    {
      id: signed.id,
      expires: signed.expires,
      final: true,
    },
  );
}

function pauseAfter(error: unknown, attempt: number): number {
  const hint = error instanceof WeftError ? error.details['retryAfterMs'] : undefined;
  const pauseMs = typeof hint === 'number' ? hint : retryMsMin * 2 ** Math.min(attempt, 6);
  return Math.max(retryMsMin, Math.min(pauseMs, retryMsMax));
}

function text(value: unknown, what: string): string {
  if (typeof value === 'string') return value;
  throw new WeftError('RPC_ANSWER_INVALID', `the node answered without the text of the ${what}; is the address right?`);
}
