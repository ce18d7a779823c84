import { WeftError } from '../codec/error.ts';
import type { NodeApi } from '../node/api.ts';
import { accountOf } from '../node/claimedAccount.ts';
import type { RpcConfig } from '../node/config.ts';
import { toRpcError } from './errors.ts';
import type { Dispatch } from './jsonRpc.ts';
import { RateLimit } from './limits.ts';
import type { Logger } from './logger.ts';
import { callMethod, type MethodContext, methodNames, weightOf } from './methods.ts';
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
  readonly #context: MethodContext;

  constructor(config: RpcConfig, modules: GateModules) {
    this.#config = config;
    this.#modules = modules;
    this.#pending = new Pending(config.pendingMax);
    const { requestsPerSecond, requestsBurst, submitsPerSecond, submitsBurst, trackedMax } = config;
    this.#addresses = new RateLimit({ perSecond: requestsPerSecond, burst: requestsBurst, keysMax: trackedMax });
    this.#accounts = new RateLimit({ perSecond: submitsPerSecond, burst: submitsBurst, keysMax: trackedMax });
    this.#context = {
      api: modules.api,
      waitMsMax: config.waitMsMax,
      admit: (envelope) => this.#admit(envelope),
    };
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
      answersMax: this.#config.bufferedBytesMax,
      answered: (characters) => this.chargeBytes(address, characters),
    };
  }

  /** A file or a page, which is no method: 0, or how many milliseconds this client has to wait for it. */
  takeFile(address: string, weight: number): number {
    const waitMs = this.#addresses.take(address, weight);
    if (waitMs > 0) this.#modules.metrics.limited.inc({ by: 'address' });
    return waitMs;
  }

  /** Bytes that were given to this client for it. */
  chargeBytes(address: string, bytes: number): void {
    this.#addresses.charge(address, Math.floor(bytes / answerBytesOfOne));
  }

  /** Ends what is pending with RPC_SHUTTING_DOWN and refuses what comes. */
  close(): void {
    this.#pending.close();
  }

  #call(address: string, method: string, params: unknown): unknown {
    const label = methodNames.has(method) ? method : 'unknown';
    const startMs = performance.now();
    try {
      // The message itself was charged as one.
      const waitMs = this.#addresses.take(address, weightOf(method, params) - 1);
      if (waitMs > 0) throw this.#limited('address', waitMs);
      const answer = this.#pending.run(
        address,
        () => callMethod(method, params, this.#context),
        (error) => {
          if (error === undefined) this.#modules.metrics.answered(label, 'ok', performance.now() - startMs);
          else this.#failed(label, error, startMs);
        },
      );
      if (!(answer instanceof Promise)) this.#modules.metrics.answered(label, 'ok', performance.now() - startMs);
      return answer;
    } catch (error) {
      this.#failed(label, error, startMs);
      throw error;
    }
  }

  #failed(label: string, error: unknown, startMs: number): void {
    const { logger, metrics } = this.#modules;
    if (!(error instanceof WeftError)) logger.error({ err: error, method: label }, 'a method failed');
    metrics.answered(label, toRpcError(error).data.code, performance.now() - startMs);
  }

  /**
   * An account is charged when its transaction was admitted, so after its signature was verified: who only claims to be
   * somebody cannot use up that account's share.
   */
  #admit(envelope: string): (() => void) | undefined {
    if (this.#config.submitsPerSecond === 0) return undefined;
    const account = accountOf(envelope);
    if (account === undefined) return undefined;
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
