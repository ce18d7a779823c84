import { WeftError } from '../codec/error.ts';
import type { NodeApi } from '../node/api.ts';
import type { RpcConfig } from '../node/config.ts';
import { accountOf } from './account.ts';
import { toRpcError } from './errors.ts';
import type { Dispatch } from './jsonRpc.ts';
import { RateLimit } from './limits.ts';
import type { Logger } from './logger.ts';
import { callMethod, methodNames, weightOf } from './methods.ts';
import type { RpcMetrics } from './metrics.ts';
import { Pending } from './pending.ts';

export type GateModules = { readonly api: NodeApi; readonly logger: Logger; readonly metrics: RpcMetrics };

/** Bytes of an answer that count as one more request. They are known when it is made: what is too much then is waited for afterwards. */
const answerBytesOfOne = 4096;

/**
 * What every request passes, over HTTP and WebSocket alike: rate limits, the bound on what is being answered at one
 * time, counting.
 */
export class Gate {
  readonly #config: RpcConfig;
  readonly #modules: GateModules;
  readonly #pending: Pending;
  readonly #addresses: RateLimit;
  readonly #accounts: RateLimit;

  constructor(config: RpcConfig, modules: GateModules) {
    this.#config = config;
    this.#modules = modules;
    this.#pending = new Pending(config.pendingMax);
    const { requestsPerSecond, requestsBurst, submitsPerSecond, submitsBurst, trackedMax } = config;
    this.#addresses = new RateLimit({ perSecond: requestsPerSecond, burst: requestsBurst, keysMax: trackedMax });
    this.#accounts = new RateLimit({ perSecond: submitsPerSecond, burst: submitsBurst, keysMax: trackedMax });
  }

  /** How messages of one client address are answered. */
  dispatchFor(address: string): Dispatch {
    return {
      batchMax: this.#config.batchMax,
      charge: (requests) => {
        const waitMs = this.#addresses.take(address, requests);
        if (waitMs > 0) throw this.#limited('address', waitMs);
      },
      call: (method, params) => this.#call(address, method, params),
      answered: (characters) => this.#addresses.charge(address, Math.floor(characters / answerBytesOfOne)),
    };
  }

  /** Ends what is pending with RPC_SHUTTING_DOWN and refuses what comes. */
  close(): void {
    this.#pending.close();
  }

  async #call(address: string, method: string, params: unknown): Promise<unknown> {
    const { api, logger, metrics } = this.#modules;
    const label = methodNames.has(method) ? method : 'unknown';
    const stop = metrics.seconds.startTimer({ method: label });
    const context = { api, waitMsMax: this.#config.waitMsMax, admit: (envelope: string) => this.#admit(envelope) };
    let outcome = 'ok';
    try {
      // The message itself was charged as one.
      const waitMs = this.#addresses.take(address, weightOf(method, params) - 1);
      if (waitMs > 0) throw this.#limited('address', waitMs);
      return await this.#pending.run(address, () => callMethod(method, params, context));
    } catch (error) {
      outcome = toRpcError(error).data.code;
      if (!(error instanceof WeftError)) logger.error({ err: error, method: label }, 'a method failed');
      throw error;
    } finally {
      stop();
      metrics.requests.inc({ method: label, outcome });
    }
  }

  /**
   * An account is charged when its transaction was admitted, so after its signature was verified: who only claims to be
   * somebody cannot use up that account's share.
   */
  #admit(envelope: string): () => void {
    const account = accountOf(envelope);
    if (account === undefined) return () => {};
    const waitMs = this.#accounts.waitMs(account);
    if (waitMs > 0) throw this.#limited('account', waitMs);
    return () => this.#accounts.charge(account);
  }

  #limited(by: 'address' | 'account', retryAfterMs: number): WeftError {
    this.#modules.metrics.limited.inc({ by });
    return new WeftError('RPC_RATE_LIMITED', `too many requests of this ${by}; wait ${retryAfterMs} ms`, {
      by,
      retryAfterMs,
    });
  }
}
